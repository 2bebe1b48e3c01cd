import type { Event } from '../../src/engine/types.ts';

/** An event of one type. */
export type Of<T extends Event['type']> = Extract<Event, { type: T }>;

export const resource = (status: Of<'resource'>['status'], more: Partial<Of<'resource'>> = {}): Of<'resource'> => ({
  type: 'resource',
  key: 'nat-gateway',
  kind: 'aws_nat_gateway',
  label: 'NAT gateway',
  status,
  ...more,
});
export const play = (status: Of<'play'>['status'], more: Partial<Of<'play'>> = {}): Of<'play'> => ({
  type: 'play',
  key: 'play-bastion',
  title: 'Set up the bastion',
  status,
  hosts: ['bastion'],
  ...more,
});
export const task = (status: Of<'task'>['status'], more: Partial<Of<'task'>> = {}): Of<'task'> => ({
  type: 'task',
  play: 'play-bastion',
  host: 'bastion',
  task: 'install packages',
  status,
  done: 7,
  of: 15,
  ...more,
});
