import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { referenceDeployment } from '../../src/ansible/paths.ts';
import { type StandInElasticsearch, standInElasticsearch } from '../support/standInElasticsearch.ts';

const has = (program: string, ...words: string[]) => spawnSync(program, words).error === undefined;
const shipperIsThere =
  existsSync('/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so') ||
  spawnSync('sh', ['-c', 'ls /usr/lib/*/rsyslog/omelasticsearch.so']).status === 0;
const missing = [
  ...(has('rsyslogd', '-v') && shipperIsThere ? [] : ['rsyslog-elasticsearch']),
  ...(has('ansible', '--version') ? [] : ['ansible-core']),
  ...(has('openssl', 'version') ? [] : ['openssl']),
];
/** With everything that a password may hold and a configuration could misread. */
const PASSWORD = 'p$a"s\\s`w{{o}}rd\'%$!';

let dir: string;
let es: StandInElasticsearch;
let stop: (() => Promise<void>) | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudspace-logs-'));
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  await es?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A certificate of an authority that nobody knows, for 127.0.0.1. */
function certificate(): { key: string; cert: string; ca: string } {
  const openssl = (...words: string[]) =>
    execFileSync('openssl', words, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'es.key',
    '-out',
    'es.csr',
    '-subj',
    '/CN=127.0.0.1',
  );
  writeFileSync(join(dir, 'san'), 'subjectAltName=IP:127.0.0.1\n');
  openssl(
    'x509',
    '-req',
    '-in',
    'es.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'es.crt',
    '-days',
    '2',
    '-extfile',
    'san',
  );
  const read = (name: string) => readFileSync(join(dir, name), 'utf8');
  return { key: read('es.key'), cert: read('es.crt'), ca: read('ca.crt') };
}

/** The role's template as Ansible renders it, with the authority's file where this test has it. */
function render(url: string, ca: string): string {
  const roles = join(referenceDeployment(), 'roles', 'base');
  const vars = {
    cloudspace_name: 'hackathon-07',
    cloudspace_elasticsearch: { url, username: 'shipper', index: 'cloudspace-hackathon-07', ca },
    elasticsearch_password: { __ansible_unsafe: PASSWORD },
  };
  writeFileSync(join(dir, 'vars.json'), JSON.stringify(vars));
  writeFileSync(
    join(dir, 'play.yml'),
    JSON.stringify([
      {
        hosts: 'localhost',
        connection: 'local',
        gather_facts: false,
        vars_files: [join(roles, 'defaults', 'main.yml')],
        tasks: [
          {
            'ansible.builtin.template': {
              src: join(roles, 'templates', 'elasticsearch.conf.j2'),
              dest: join(dir, 'rendered.conf'),
              mode: '0600',
            },
          },
        ],
      },
    ]),
  );
  execFileSync('ansible-playbook', ['-i', 'localhost,', '-e', '@vars.json', 'play.yml'], {
    cwd: dir,
    env: { ...process.env, LC_ALL: 'C.UTF-8', ANSIBLE_HOME: join(dir, 'ansible') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return readFileSync(join(dir, 'rendered.conf'), 'utf8').replace(
    '/etc/cloudspace/elasticsearch-ca.crt',
    join(dir, 'ca.crt'),
  );
}

async function rsyslog(rendered: string): Promise<void> {
  writeFileSync(
    join(dir, 'rsyslog.conf'),
    `module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="${dir}/log")\nglobal(workDirectory="${dir}")\n${rendered}`,
    { mode: 0o600 },
  );
  execFileSync('rsyslogd', ['-N1', '-f', join(dir, 'rsyslog.conf')], { stdio: ['ignore', 'pipe', 'pipe'] });
  const child = spawn('rsyslogd', ['-n', '-f', join(dir, 'rsyslog.conf'), '-i', join(dir, 'pid')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  await until(() => existsSync(join(dir, 'log')));
}

const log = (text: string) =>
  execFileSync('logger', ['-u', join(dir, 'log'), '-t', 'shop', '-p', 'user.warning', '--', text]);
async function until(is: () => boolean): Promise<void> {
  for (let turn = 0; !is(); turn++) {
    if (turn > 600) throw new Error('it did not come');
    await sleep(100);
  }
}

describe.skipIf(missing.length > 0)(
  `the log shipper${missing.length > 0 ? ` (lacks ${missing.join(', ')})` : ''}`,
  () => {
    it('brings lines to Elasticsearch over TLS, with user and password, into an index a day', {
      timeout: 120_000,
    }, async () => {
      const { key, cert, ca } = certificate();
      es = await standInElasticsearch({ password: PASSWORD, tls: { key, cert } });
      const rendered = render(es.url, ca);
      expect(statSync(join(dir, 'rendered.conf')).mode & 0o777).toBe(0o600);
      await rsyslog(rendered);
      log('a line with "quotes" and a \\ backslash');
      await until(() => es.documents.length > 0);
      expect(es.documents[0]).toEqual({
        index: expect.stringMatching(/^cloudspace-hackathon-07-\d{4}\.\d\d\.\d\d$/),
        document: expect.objectContaining({
          '@timestamp': expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          message: 'a line with "quotes" and a \\ backslash',
          'process.name': 'shop',
          'log.level': 'warning',
          'service.environment': 'hackathon-07',
        }),
      });
    });

    it('keeps lines while the server is away', { timeout: 120_000 }, async () => {
      const { key, cert, ca } = certificate();
      es = await standInElasticsearch({ password: PASSWORD, tls: { key, cert } });
      const port = Number(new URL(es.url).port);
      const rendered = render(es.url, ca);
      await es.close();
      await rsyslog(rendered.replace('action.resumeInterval="10"', 'action.resumeInterval="1"'));
      log('while it was away');
      log('and another');
      es = await standInElasticsearch({ password: PASSWORD, tls: { key, cert }, port });
      for (const message of ['while it was away', 'and another'])
        await until(() => es.documents.some(({ document }) => document.message === message));
    });
  },
);
