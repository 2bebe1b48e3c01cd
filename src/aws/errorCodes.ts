/** What an AWS error means to a person: the cause in one line and what to do next. */
export interface Meaning {
  /** our canonical code, where several AWS codes mean the same; else AWS's own code is kept */
  readonly code?: string;
  readonly says: string;
  readonly hint?: string;
  readonly exitCode?: 2;
}

export const EXPIRED: Meaning = {
  code: 'ExpiredToken',
  says: 'the temporary credentials have expired',
  hint: 'Renew them (`aws sso login`, or sign in again and copy the new keys); nothing is lost, the run goes on where it stopped.',
};
const WRONG_KEY: Meaning = {
  code: 'InvalidCredentials',
  says: 'AWS does not know this access key',
  hint: 'Check which credentials are used with `aws sts get-caller-identity`. A temporary key (ASIA…) needs its session token too; the key may also have been deleted, or belong to another partition.',
};
const DENIED: Meaning = {
  code: 'AccessDenied',
  says: 'the credentials are valid but not allowed to do this',
  hint: 'Ask the account’s administrator for this action, or assume a role that has it (--role-arn). `aws sts get-caller-identity` shows who you are.',
};
export const CLOCK: Meaning = {
  code: 'ClockSkew',
  says: 'the clock of this machine differs too much from AWS’s',
  hint: 'Set the clock (`timedatectl set-ntp true`, or the date settings on macOS) and run the command again.',
};
const THROTTLED: Meaning = {
  code: 'Throttling',
  says: 'AWS keeps asking to slow down: too many requests in this account and region',
  hint: 'Wait a minute and run the command again; it goes on where it stopped. Other tools working in the same account share the limit.',
};
const NO_CAPACITY: Meaning = {
  code: 'InsufficientCapacity',
  says: 'AWS has no free machine of this type in the zone at the moment',
  hint: 'Try again in some minutes, or take another type (--instance-type, --db-class) or region.',
};
const IN_USE: Meaning = {
  code: 'DependencyViolation',
  says: 'something still uses it',
  hint: 'Network interfaces of load balancers, gateways and databases are released some minutes after these are deleted: run the command again. If it stays, look in the VPC’s console for what was added by hand.',
};
const quota = (what: string, name: string): Meaning => ({
  code: 'QuotaExceeded',
  says: `the account’s quota of ${what} in this region is used up`,
  hint: `Delete what is not used any more, ask for more (console: Service Quotas → ${name}), or use another region.`,
});

/** AWS's code without the suffix `Fault` or `Exception` → what it means. Sources: the API references' lists of error codes. */
export const MEANINGS: Readonly<Record<string, Meaning>> = {
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  ExpiredSessionException: EXPIRED,
  RequestExpired: {
    ...EXPIRED,
    says: 'the credentials have expired, or the clock of this machine is wrong',
  },
  InvalidClientTokenId: WRONG_KEY,
  UnrecognizedClient: WRONG_KEY,
  AuthFailure: {
    ...WRONG_KEY,
    says: 'AWS could not validate the credentials, or the region is not enabled for this account',
  },
  InvalidAccessKeyId: WRONG_KEY,
  MissingAuthenticationToken: WRONG_KEY,
  IncompleteSignature: WRONG_KEY,
  SignatureDoesNotMatch: {
    ...WRONG_KEY,
    says: 'the secret key does not belong to the access key',
    hint: 'Copy both again, without spaces or line ends; or run `aws configure`.',
  },
  InvalidSignature: CLOCK,
  RequestTimeTooSkewed: CLOCK,
  RequestInTheFuture: CLOCK,
  AccessDenied: DENIED,
  UnauthorizedOperation: DENIED,
  UnauthorizedAccess: DENIED,
  OptInRequired: {
    says: 'this account is not signed up for the service or region yet',
    hint: 'Sign in to the AWS console once and finish the sign-up (payment method, phone), or enable the region under Account → AWS Regions.',
  },
  PendingVerification: {
    says: 'AWS is still verifying this new account',
    hint: 'This usually ends within minutes, at most four hours. Run the command again then; AWS sends a mail.',
  },
  Blocked: {
    says: 'AWS has blocked this account',
    hint: 'Only AWS Support can lift this: open a case in the console.',
  },
  Throttling: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  RequestThrottled: THROTTLED,
  SlowDown: THROTTLED,
  TooManyRequests: THROTTLED,
  EC2Throttled: THROTTLED,
  ThrottledException: THROTTLED,

  VpcLimitExceeded: quota('VPCs (5 by default)', 'Amazon VPC → VPCs per Region'),
  SubnetLimitExceeded: quota('subnets in a VPC', 'Amazon VPC → Subnets per VPC'),
  InternetGatewayLimitExceeded: quota('internet gateways', 'Amazon VPC → Internet gateways per Region'),
  AddressLimitExceeded: quota('Elastic IPs (5 by default)', 'Amazon EC2 → EC2-VPC Elastic IPs'),
  NatGatewayLimitExceeded: quota('NAT gateways in a zone', 'Amazon VPC → NAT gateways per Availability Zone'),
  RouteTableLimitExceeded: quota('route tables in a VPC', 'Amazon VPC → Route tables per VPC'),
  RouteLimitExceeded: quota('routes in a table', 'Amazon VPC → Routes per route table'),
  SecurityGroupLimitExceeded: quota('security groups', 'Amazon VPC → VPC security groups per Region'),
  RulesPerSecurityGroupLimitExceeded: quota('rules in a group', 'Amazon VPC → Rules per security group'),
  SecurityGroupsPerInterfaceLimitExceeded: quota(
    'security groups on an interface',
    'Amazon VPC → Security groups per network interface',
  ),
  NetworkInterfaceLimitExceeded: quota('network interfaces', 'Amazon VPC → Network interfaces per Region'),
  VcpuLimitExceeded: quota('vCPUs', 'Amazon EC2 → Running On-Demand Standard instances'),
  InstanceLimitExceeded: quota('instances of this type', 'Amazon EC2 → Running On-Demand Standard instances'),
  MaxSpotInstanceCountExceeded: quota('spot instances', 'Amazon EC2 → All Standard Spot Instance Requests'),
  VolumeLimitExceeded: quota('volumes', 'Amazon EBS → Storage for gp3 volumes'),
  TooManyLoadBalancers: quota('load balancers', 'Elastic Load Balancing → Network Load Balancers per Region'),
  TooManyTargetGroups: quota('target groups', 'Elastic Load Balancing → Target Groups per Region'),
  TooManyListeners: quota('listeners', 'Elastic Load Balancing → Listeners per Network Load Balancer'),
  TooManyTargets: quota('targets', 'Elastic Load Balancing → Targets per Target Group per Region'),
  InstanceQuotaExceeded: quota('databases', 'Amazon RDS → DB instances'),
  DBInstanceQuotaExceeded: quota('databases', 'Amazon RDS → DB instances'),
  StorageQuotaExceeded: quota('database storage', 'Amazon RDS → Total storage for all DB instances'),
  DBSubnetGroupQuotaExceeded: quota('database subnet groups', 'Amazon RDS → DB subnet groups'),

  InsufficientInstanceCapacity: NO_CAPACITY,
  InsufficientCapacity: NO_CAPACITY,
  InsufficientHostCapacity: NO_CAPACITY,
  InsufficientReservedInstanceCapacity: NO_CAPACITY,
  InsufficientDBInstanceCapacity: NO_CAPACITY,
  InsufficientAddressCapacity: { ...NO_CAPACITY, says: 'AWS has no free public address at the moment' },
  InsufficientFreeAddressesInSubnet: {
    says: 'the subnet has no free address left',
    hint: 'Take fewer runners, or a larger network (--cidr).',
  },
  Unsupported: {
    says: 'AWS does not offer this combination here (often: the instance type in this zone)',
    hint: 'Take another type (--instance-type) or region.',
  },

  'InvalidVpc.Range': {
    says: 'this network range cannot be a VPC',
    hint: 'A VPC is a /16 to a /28 of private addresses: give another one with --cidr, such as 10.7.0.0/16.',
    exitCode: 2,
  },
  'InvalidSubnet.Range': {
    says: 'the subnet’s range is not inside the VPC’s',
    hint: 'Was the VPC made with another --cidr? `cloudspace status` shows it.',
  },
  'InvalidSubnet.Conflict': {
    says: 'the subnet’s range overlaps another subnet of the VPC',
    hint: 'Somebody made a subnet by hand in this VPC: delete it, or begin with another --cidr.',
  },
  CidrConflict: {
    says: 'the range overlaps one that is in use',
    hint: 'Give another network with --cidr.',
  },
  DependencyViolation: IN_USE,
  ResourceInUse: IN_USE,
  'InvalidIPAddress.InUse': IN_USE,
  InvalidDBSubnetGroupState: IN_USE,
  InvalidDBInstanceState: {
    code: 'DependencyViolation',
    says: 'the database is busy with an earlier change',
    hint: 'Run the command again when its status is "available" (`cloudspace status`).',
  },
  'InvalidKeyPair.Duplicate': {
    says: 'a key pair of this name exists, and it is not this Cloudspace’s',
    hint: 'Choose another --name, or delete the key pair if nobody needs it: `aws ec2 delete-key-pair --key-name NAME`.',
  },
  'InvalidGroup.Duplicate': {
    says: 'a security group of this name exists in the VPC, and it is not this Cloudspace’s',
    hint: 'Delete it if nobody needs it.',
  },
  DuplicateLoadBalancerName: {
    says: 'a load balancer of this name exists with other settings, and it is not this Cloudspace’s',
    hint: 'Choose another --name, or delete it if nobody needs it.',
  },
  DuplicateTargetGroupName: {
    says: 'a target group of this name exists with other settings, and it is not this Cloudspace’s',
    hint: 'Choose another --name, or delete it if nobody needs it.',
  },
  DBInstanceAlreadyExists: {
    says: 'a database of this name exists, and it is not this Cloudspace’s',
    hint: 'Choose another --name, or delete it if nobody needs it.',
  },
  DBSubnetGroupAlreadyExists: {
    says: 'a database subnet group of this name exists, and it is not this Cloudspace’s',
    hint: 'Choose another --name, or delete it if nobody needs it.',
  },
};

/** Node's and the SDK's codes for "there is no talking to this endpoint". */
export const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the name is not known to DNS',
  EAI_AGAIN: 'DNS does not answer',
  ETIMEDOUT: 'it does not answer',
  TimeoutError: 'it does not answer',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no network',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted (a proxy in between?)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted (a proxy in between?)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted (a proxy in between?)',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  EPROTO: 'it speaks no TLS (http instead of https?)',
};
