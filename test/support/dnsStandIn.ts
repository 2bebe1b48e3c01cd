import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

/** A record as a zone file has it. `name` may begin with `*.`. */
export interface StandInRecord {
  readonly name: string;
  readonly type: string;
  readonly content: string;
}

const TYPES: Readonly<Record<string, number>> = { A: 1, NS: 2, CNAME: 5, SOA: 6, TXT: 16, CAA: 257 };

/**
 * A stand-in for a zone's authoritative name server: answers over UDP on loopback from what `records` gives at that moment, with wildcards and CNAMEs, and says
 * NXDOMAIN for the rest. Message format: RFC 1035, section 4.
 */
export async function dnsStandIn(records: () => readonly StandInRecord[]) {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  const standIn = { address: '', asked, close: () => new Promise<void>((resolve) => socket.close(() => resolve())) };
  socket.on('message', (message, from) => {
    let at = 12;
    const labels: string[] = [];
    for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
      labels.push(message.subarray(at + 1, at + 1 + length).toString('latin1'));
      at += 1 + length;
    }
    const name = labels.join('.').toLowerCase();
    const type = message.readUInt16BE(at + 1);
    const question = message.subarray(12, at + 5);
    asked.push(`${name} ${Object.entries(TYPES).find(([, code]) => code === type)?.[0] ?? type}`);
    const there = recordsAt(records(), name);
    const matching = there.filter((record) => TYPES[record.type] === type || record.type === 'CNAME');
    const answers = matching.map((record) => answer(record.type, record.content));
    const header = Buffer.alloc(12);
    header.writeUInt16BE(message.readUInt16BE(0), 0);
    // an authoritative answer; NXDOMAIN where the name has nothing at all
    header.writeUInt16BE(0x8400 | (message.readUInt16BE(2) & 0x0100) | (there.length > 0 ? 0 : 3), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    socket.send(Buffer.concat([header, question, ...answers]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  standIn.address = `127.0.0.1:${(socket.address() as AddressInfo).port}`;
  return standIn;
}

function recordsAt(records: readonly StandInRecord[], name: string): readonly StandInRecord[] {
  const exact = records.filter((record) => record.name === name);
  if (exact.length > 0) return exact;
  const under = name.slice(name.indexOf('.') + 1);
  return records.filter((record) => record.name === `*.${under}`);
}

function answer(type: string, content: string): Buffer {
  const data =
    type === 'A'
      ? Buffer.from(content.split('.').map(Number))
      : type === 'TXT'
        ? Buffer.concat([Buffer.from([content.length]), Buffer.from(content)])
        : encoded(content);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(TYPES[type] ?? 0, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(1, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function encoded(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
