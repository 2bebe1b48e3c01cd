import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createArguments, type Machine } from '../../src/practice/hosts/machine.ts';
import { bench } from '../wire/practice.ts';

const SIGNED =
  'AWS4-HMAC-SHA256 Credential=AKIAPRACTICE00000000/20261104/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=0';

describe('the practice cloud', () => {
  it('answers no web page, also not one that knows its address and a good signature', async () => {
    const cloud = await bench();
    const ask = (method: string, headers: Record<string, string>) =>
      new Promise<{ status: number; cors: unknown }>((resolve, reject) => {
        const { hostname, port } = new URL(cloud.practice.endpoint);
        const sent = request({ hostname, port, method, headers: { authorization: SIGNED, ...headers } }, (response) => {
          response.resume();
          resolve({ status: response.statusCode ?? 0, cors: response.headers['access-control-allow-origin'] });
        });
        sent.on('error', reject);
        sent.end(method === 'POST' ? 'Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16' : undefined);
      });
    try {
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: cloud.practice.endpoint },
        { 'sec-fetch-site': 'cross-site' },
      ])
        for (const method of ['POST', 'OPTIONS', 'GET'])
          expect(await ask(method, headers as Record<string, string>)).toEqual({ status: 403, cors: undefined });
      expect(cloud.practice.requests).toEqual([]);
    } finally {
      await cloud.end();
    }
  });

  it('publishes the ports of its hosts on loopback alone', () => {
    const machine = (more: Partial<Machine>): Machine => ({
      id: 'i-1',
      kind: 'instance',
      name: 'bastion',
      vpcId: 'vpc-1',
      address: '10.7.0.4',
      running: true,
      variant: 'base',
      hostname: 'bastion',
      aliases: [],
      ports: [22, 80, 443, 2222],
      systemd: true,
      volumes: [],
      stopSignal: 'SIGRTMIN+3',
      command: [],
      files: [],
      apply: [],
      ...more,
    });
    for (const command of ['docker', 'podman'] as const) {
      const words = createArguments(machine({}), {
        engine: { command, ok: true },
        practice: 'abc',
        network: 'net',
        image: 'image',
        published: { 22: 20_001, 80: 20_002, 443: 20_003, 2222: 20_004 },
      });
      const published = words.flatMap((word, index) => (['-p', '--publish'].includes(word) ? [words[index + 1]] : []));
      expect(published).toHaveLength(4);
      for (const one of published) expect(one).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
      expect(words.some((word) => /^(-P|--publish-all|--network=host|--privileged|--pid)/.test(word))).toBe(false);
      expect(words.join(' ')).not.toContain('--network host');
    }
  });

  it('listens nowhere else: no server of the sources is bound to all addresses', () => {
    const root = new URL('../../src/practice', import.meta.url).pathname;
    const files = readdirSync(root, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.ts'));
    const listens = files.flatMap((name) => readFileSync(join(root, name), 'utf8').match(/\.listen\([^)]*\)/g) ?? []);
    expect(listens.length).toBeGreaterThan(0);
    for (const one of listens) expect(one).toContain("'127.0.0.1'");
  });
});
