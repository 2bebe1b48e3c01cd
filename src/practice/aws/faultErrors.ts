import { AwsError } from './errors.ts';

/**
 * Codes with AWS's HTTP status and message; `*` is the operation's name. Sources: EC2 API Reference, "Error codes"; RDS and Elastic Load
 * Balancing API References, "Common errors".
 */
const KNOWN: Readonly<Record<string, readonly [status: number, message: string]>> = {
  VpcLimitExceeded: [400, 'The maximum number of VPCs has been reached.'],
  AddressLimitExceeded: [400, 'The maximum number of addresses has been reached.'],
  NatGatewayLimitExceeded: [400, 'The maximum number of NAT Gateways has been reached.'],
  VcpuLimitExceeded: [
    400,
    'You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to.',
  ],
  InsufficientInstanceCapacity: [
    500,
    'We currently do not have sufficient capacity in the Availability Zone you requested. Our system will be working on provisioning additional capacity.',
  ],
  InsufficientDBInstanceCapacity: [
    400,
    "Can't create the DB instance because there is not enough capacity in the Availability Zone.",
  ],
  UnauthorizedOperation: [403, 'You are not authorized to perform this operation.'],
  AccessDenied: [403, 'User is not authorized to perform: *'],
  ExpiredToken: [403, 'The security token included in the request is expired'],
  RequestExpired: [400, 'Request has expired.'],
  AuthFailure: [401, 'AWS was not able to validate the provided access credentials'],
  InvalidClientTokenId: [403, 'The security token included in the request is invalid'],
  DependencyViolation: [400, 'The resource has dependencies and cannot be deleted.'],
  RequestLimitExceeded: [503, 'Request limit exceeded.'],
  Throttling: [400, 'Rate exceeded'],
  InternalError: [500, 'An internal error has occurred'],
  InternalFailure: [500, 'The request processing has failed because of an unknown error, exception or failure.'],
  Unavailable: [503, 'The service is unavailable. Please try again shortly.'],
  ServiceUnavailable: [503, 'The request has failed due to a temporary failure of the server.'],
  PendingVerification: [400, 'Your account is currently being verified.'],
  OptInRequired: [403, 'You are not subscribed to this service.'],
};

/** The error a rule asks for. Codes without a known message say that they are a practice fault. */
export function faultError(code: string, operation: string): AwsError {
  const [status, message] = KNOWN[code] ?? [400, `an injected practice fault in ${operation}`];
  return new AwsError(code, message.replace('*', operation), status);
}

/** How EC2, and how the other services, say that there were too many requests. */
export function throttled(ec2: boolean, operation: string): AwsError {
  return faultError(ec2 ? 'RequestLimitExceeded' : 'Throttling', operation);
}

/** A server error with this HTTP status. */
export function serverError(ec2: boolean, status: number, operation: string): AwsError {
  const code =
    status === 503 ? (ec2 ? 'Unavailable' : 'ServiceUnavailable') : ec2 ? 'InternalError' : 'InternalFailure';
  return new AwsError(code, faultError(code, operation).message, status);
}
