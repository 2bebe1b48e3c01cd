// Reads what `npm audit --json` says from standard input. Exit code 1 on a finding of severity high or critical. A registry that cannot be asked
// (a mirror without the audit service, no network) is reported and is no failure: it says nothing about the dependencies.
import { readFileSync } from 'node:fs';

const text = readFileSync(0, 'utf8');
let report;
try {
  report = JSON.parse(text);
} catch {
  report = { message: text.trim().slice(0, 200) || 'no answer' };
}
const counts = report.metadata?.vulnerabilities;
if (counts === undefined) {
  console.log(`audit: could not be asked: ${report.message ?? report.error?.summary ?? 'no answer'}`);
} else {
  const bad = Object.values(report.vulnerabilities ?? {}).filter(({ severity }) =>
    ['high', 'critical'].includes(severity),
  );
  for (const { name, severity, range } of bad) console.log(`audit: ${name} ${range}: ${severity}`);
  console.log(
    `audit: ${counts.total} known vulnerabilities, ${counts.high + counts.critical} of them high or critical`,
  );
  process.exitCode = counts.high + counts.critical > 0 ? 1 : 0;
}
