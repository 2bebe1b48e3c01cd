/**
 * A small program for the terminal tests: it is bundled and run in a real terminal. It tells events and asks questions as the walkthrough does;
 * the first argument says which part to play. Lines that begin with "driver:" are for the test.
 */
import { CloudspaceError, type Event } from '../../src/engine/types.ts';
import { chooseUi } from '../../src/ui/index.ts';

const [scene = 'walk', ...flags] = process.argv.slice(2);
const { stdin, stdout, stderr, env } = process;
const abort = new AbortController();
process.on('SIGINT', () => abort.abort());
const ui = chooseUi({
  json: flags.includes('--json'),
  yes: flags.includes('--yes'),
  stdin,
  stdout,
  stderr,
  env,
  signal: abort.signal,
});
const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const nat = { type: 'resource', key: 'nat-gateway', kind: 'aws_nat_gateway', label: 'NAT gateway' } as const;
const step: Extract<Event, { type: 'step' }> = {
  type: 'step',
  chapter: 'vpc',
  step: 'network',
  title: 'The network',
  index: 1,
  of: 3,
  guide:
    'Everything lives in **one network** of its own. Its addresses come from `10.7.0.0/16`, so that two teams never overlap, and what is in it reaches the rest without leaving it.',
  makes: [
    { key: 'vpc', label: 'VPC', summary: '10.7.0.0/16', action: 'create' },
    { key: 'subnet-public-a', label: 'subnet', summary: '10.7.0.0/24 in us-east-1a', action: 'create' },
    { key: 'nat-gateway', label: 'NAT gateway', summary: 'in subnet-public-a', action: 'create' },
  ],
  usdPerHour: 0.045,
  commands: [
    "aws ec2 create-vpc --cidr-block 10.7.0.0/16 --tag-specifications 'ResourceType=vpc,Tags=[{Key=Name,Value=hackathon-07}]'",
    'aws ec2 create-subnet --vpc-id $(vpc) --cidr-block 10.7.0.0/24',
    'aws ec2 create-nat-gateway --subnet-id $(subnet-public-a)',
    'aws ec2 create-route --destination-cidr-block 0.0.0.0/0',
  ],
};

async function walk() {
  ui.notify({ type: 'chapter', chapter: 'vpc', title: 'Virtual Private Cloud', index: 1, of: 6, status: 'started' });
  ui.notify(step);
  for (;;) {
    const choice = await ui.ask({
      id: 'step',
      kind: 'select',
      message: 'What now?',
      choices: [
        { value: 'do', name: 'Do it' },
        { value: 'details', name: 'Show details', description: 'every command whole' },
        { value: 'quit', name: 'Save and quit' },
      ],
      default: 'do',
      flag: '--yes',
    });
    if (choice !== 'details') break;
    ui.notify({ ...step, details: true });
  }
  ui.notify({ ...nat, status: 'creating', typicalSeconds: 90 });
  ui.notify({
    type: 'resource',
    key: 'vpc',
    kind: 'aws_vpc',
    label: 'VPC',
    status: 'created',
    id: 'vpc-1',
    seconds: 0.4,
  });
  ui.notify({ ...nat, status: 'created', id: 'nat-1', seconds: 0.6 });
  ui.notify({ ...nat, status: 'waiting', typicalSeconds: 90 });
  await sleep(1.5);
  const name = await ui.ask({
    id: 'name',
    kind: 'input',
    message: 'Name of the bastion?',
    help: 'Lower case letters.',
    default: 'bastion',
    flag: '--bastion',
    validate: (text) => {
      // Something ends in the background while the question is open.
      ui.notify({ ...nat, status: 'ready', id: 'nat-1', seconds: 2 });
      return /^[a-z]+$/.test(text) || `"${text}" is not of the form [a-z]+`;
    },
  });
  const sure = await ui.ask({ id: 'sure', kind: 'confirm', message: `Make ${name}?`, default: true });
  ui.notify({ type: 'summary', text: `made ${name}: ${sure}` });
}

async function work() {
  ui.notify({ ...nat, status: 'waiting', typicalSeconds: 90 });
  ui.notify({
    type: 'resource',
    key: 'database',
    kind: 'aws_db_instance',
    label: 'database',
    status: 'waiting',
    typicalSeconds: 360,
  });
  for (let task = 1; !abort.signal.aborted && task < 600; task += 1) {
    ui.notify({ type: 'progress', key: 'image', text: `image layer ${task}`, status: 'going' });
    await sleep(0.1);
  }
  throw new CloudspaceError('interrupted', { code: 'Interrupted', exitCode: 130 });
}

async function ask() {
  const answer = await ui.ask({ id: 'region', kind: 'input', message: 'Which region?', flag: '--region' });
  stdout.write(`driver: answer ${answer}\n`);
}

const scenes: Record<string, () => Promise<void>> = { walk, work, ask };
let code = 0;
try {
  await scenes[scene]?.();
} catch (error) {
  if (!(error instanceof CloudspaceError)) throw error;
  const { errorEvent } = await import('../../src/ui/index.ts');
  ui.notify(errorEvent(error));
  code = error.exitCode;
}
ui.close();
process.exitCode = code;
