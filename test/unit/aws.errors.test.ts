import { describe, expect, it } from 'vitest';
import { codeOf, ignoreGone, isInUse, isNotFound, networkCode, translate } from '../../src/aws/errors.ts';
import { CloudspaceError } from '../../src/engine/types.ts';

/** An error as the SDK throws it. */
function thrown(name: string, message: string, status = 400): Error {
  const error = new Error(message);
  error.name = name;
  return Object.assign(error, { $metadata: { httpStatusCode: status, requestId: 'req-1' } });
}

describe('translate', () => {
  it.each([
    ['ExpiredToken', 'ExpiredToken'],
    ['ExpiredTokenException', 'ExpiredToken'],
    ['RequestExpired', 'ExpiredToken'],
    ['InvalidClientTokenId', 'InvalidCredentials'],
    ['UnrecognizedClientException', 'InvalidCredentials'],
    ['SignatureDoesNotMatch', 'InvalidCredentials'],
    ['AuthFailure', 'InvalidCredentials'],
    ['AccessDeniedException', 'AccessDenied'],
    ['UnauthorizedOperation', 'AccessDenied'],
    ['VpcLimitExceeded', 'QuotaExceeded'],
    ['AddressLimitExceeded', 'QuotaExceeded'],
    ['VcpuLimitExceeded', 'QuotaExceeded'],
    ['InstanceLimitExceeded', 'QuotaExceeded'],
    ['NatGatewayLimitExceeded', 'QuotaExceeded'],
    ['TooManyLoadBalancersException', 'QuotaExceeded'],
    ['InstanceQuotaExceededFault', 'QuotaExceeded'],
    ['InsufficientInstanceCapacity', 'InsufficientCapacity'],
    ['InsufficientDBInstanceCapacityFault', 'InsufficientCapacity'],
    ['ThrottlingException', 'Throttling'],
    ['RequestLimitExceeded', 'Throttling'],
    ['InvalidVpc.Range', 'InvalidVpc.Range'],
    ['InvalidSubnet.Conflict', 'InvalidSubnet.Conflict'],
    ['DependencyViolation', 'DependencyViolation'],
    ['ResourceInUseException', 'DependencyViolation'],
    ['InvalidDBSubnetGroupStateFault', 'DependencyViolation'],
    ['OptInRequired', 'OptInRequired'],
    ['PendingVerification', 'PendingVerification'],
    ['RequestTimeTooSkewed', 'ClockSkew'],
  ])('%s becomes %s, with a hint, the request id and what AWS said', (name, code) => {
    const error = translate(thrown(name, 'what AWS said'), 'create the VPC');
    expect(error).toBeInstanceOf(CloudspaceError);
    expect(error.code).toBe(code);
    expect(error.hint).toBeTruthy();
    expect(error.requestId).toBe('req-1');
    expect(error.message).toContain('could not create the VPC');
    expect(error.message).toContain('what AWS said');
  });

  it('keeps the code and message of what it does not know', () => {
    const error = translate(thrown('SomethingNew', 'a new trouble'), 'CreateVpc');
    expect(error).toMatchObject({
      code: 'SomethingNew',
      message: 'could not CreateVpc: a new trouble (SomethingNew)',
      exitCode: 1,
    });
  });

  it('takes the encoded message out of a denial and says how to decode it', () => {
    const error = translate(
      thrown(
        'UnauthorizedOperation',
        'You are not authorized to perform this operation. Encoded authorization failure message: aBc-123_xyz',
        403,
      ),
      'CreateVpc',
    );
    expect(error.message).not.toContain('aBc-123_xyz');
    expect(error.hint).toContain('aws sts decode-authorization-message --encoded-message aBc-123_xyz');
  });

  it.each(['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT'])('%s names the endpoint and exits with 2', (code) => {
    const error = translate(
      Object.assign(new Error('connect'), { code, endpoint: 'http://127.0.0.1:1' }),
      'DescribeVpcs',
    );
    expect(error).toMatchObject({ code: 'Unreachable', exitCode: 2 });
    expect(error.message).toContain('http://127.0.0.1:1');
    expect(error.hint).toContain('--endpoint-url');
  });

  it('finds the network code in the failures of both address families', () => {
    const both = new AggregateError([Object.assign(new Error('::1'), { code: 'ECONNREFUSED' })]);
    expect(networkCode(both)).toBe('ECONNREFUSED');
    expect(networkCode(thrown('InternalError', 'oops', 500))).toBeUndefined();
  });

  it('says that an outcome is unknown, before it says anything else', () => {
    const lost = Object.assign(new Error('socket hang up'), {
      code: 'ECONNRESET',
      outcomeUnknown: true,
      endpoint: 'http://e',
    });
    expect(translate(lost, 'CreateVpc').code).toBe('OutcomeUnknown');
  });

  it('gives back what is translated already, and throws an abort as it is', () => {
    const mine = new CloudspaceError('mine', { code: 'Mine' });
    expect(translate(mine, 'x')).toBe(mine);
    const abort = Object.assign(new Error('aborted'), { name: 'AbortError' });
    expect(() => translate(abort, 'x')).toThrow(abort);
  });

  it('tells an expired SSO session from no credentials at all', () => {
    const sso = Object.assign(new Error('The SSO session associated with this profile has expired.'), {
      name: 'CredentialsProviderError',
    });
    expect(translate(sso, 'x').code).toBe('ExpiredToken');
    const none = Object.assign(new Error('Profile x requires multi-factor authentication'), {
      name: 'CredentialsProviderError',
    });
    expect(translate(none, 'x')).toMatchObject({ code: 'NoCredentials', exitCode: 2 });
  });
});

describe('isNotFound', () => {
  it.each([
    'InvalidVpcID.NotFound',
    'InvalidGroup.NotFound',
    'NatGatewayNotFound',
    'DBInstanceNotFoundFault',
    'DBSubnetGroupNotFoundFault',
    'LoadBalancerNotFoundException',
    'Gateway.NotAttached',
    'InvalidPermission.NotFound',
  ])('%s', (name) => {
    expect(isNotFound(thrown(name, 'gone'))).toBe(true);
    expect(isNotFound(translate(thrown(name, 'gone'), 'DeleteVpc'))).toBe(true);
  });

  it.each(['DependencyViolation', 'InvalidParameterValue', 'Error'])('not %s', (name) => {
    expect(isNotFound(thrown(name, 'x'))).toBe(false);
  });

  it('lets a delete succeed on what is gone, and on nothing else', async () => {
    await expect(ignoreGone(Promise.reject(thrown('InvalidVpcID.NotFound', 'gone')))).resolves.toBeUndefined();
    await expect(ignoreGone(Promise.reject(thrown('DependencyViolation', 'used')))).rejects.toThrow('used');
  });
});

it('knows what is in use, raw or translated', () => {
  expect(isInUse(thrown('DependencyViolation', 'x'))).toBe(true);
  expect(isInUse(translate(thrown('ResourceInUseException', 'x'), 'DeleteTargetGroup'))).toBe(true);
  expect(isInUse(thrown('VpcLimitExceeded', 'x'))).toBe(false);
});

it('reads AWS’s code from the SDK’s names', () => {
  expect(codeOf(thrown('DBInstanceNotFoundFault', ''))).toBe('DBInstanceNotFound');
  expect(codeOf(new TypeError('x'))).toBe('');
});
