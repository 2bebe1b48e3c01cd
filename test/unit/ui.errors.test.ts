import { describe, expect, it } from 'vitest';
import { CloudspaceError } from '../../src/engine/types.ts';
import { errorEvent, errorText } from '../../src/ui/errorText.ts';
import type { Look } from '../../src/ui/look.ts';

describe('errors', () => {
  const look: Look = { color: false, unicode: true, columns: 80 };
  it('say what happened, what to do, and what to quote', () => {
    const error = new CloudspaceError('no VPC can be made: five are there', {
      code: 'VpcLimitExceeded',
      hint: 'Delete one, or ask for more:\n`aws service-quotas`',
      requestId: 'a1b2',
      cause: new Error('The maximum number of VPCs has been reached.'),
    });
    expect(errorText(errorEvent(error), look)).toEqual([
      '✖ no VPC can be made: five are there',
      '  (The maximum number of VPCs has been reached.)',
      '  → Delete one, or ask for more:',
      '  → `aws service-quotas`',
      '  (VpcLimitExceeded · request id a1b2)',
    ]);
  });
  it('of any origin are told', () => {
    const sdk = Object.assign(new Error('denied'), { name: 'AccessDenied', $metadata: { requestId: 'r-1' } });
    expect(errorEvent(sdk)).toEqual({ type: 'error', code: 'AccessDenied', message: 'denied', requestId: 'r-1' });
    const node = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(errorEvent(node)).toMatchObject({ code: 'ECONNREFUSED' });
    expect(errorEvent('text')).toEqual({ type: 'error', code: 'Unexpected', message: 'text' });
    const several = new AggregateError([new Error('one'), new Error('two')], 'both failed');
    expect(errorEvent(several).message).toBe('both failed\n- one\n- two');
    const loop = new Error('a');
    loop.cause = loop;
    expect(errorEvent(loop).message).toBe('a');
  });
});
