import type { Hosts } from './hosts/types.ts';

/** A request as the practice server logged it: names only, never parameters. */
export interface RequestRecord {
  readonly at: string;
  readonly service: string;
  readonly operation: string;
  readonly mutating: boolean;
  readonly status: number;
  readonly errorCode?: string;
  /** the faults that met it */
  readonly faults?: readonly string[];
}

export interface PracticeOptions {
  /** folder that keeps world.json and the containers' bookkeeping; made if missing, mode 0700 */
  readonly dir: string;
  /** 0 or undefined: any free port. Always on 127.0.0.1. */
  readonly port?: number;
  /** 1 = AWS's typical durations, 60 = sixty times faster, Infinity = no waiting */
  readonly speed?: number;
  /** milliseconds added to each answer, for benchmarks */
  readonly latency?: number;
  /** the driver of practice hosts; undefined: the API alone */
  readonly hosts?: Hosts;
  readonly region?: string;
  /** other quotas than AWS's defaults, as `name=value` (aws/quotas.ts): `vcpu=4000` */
  readonly quotas?: readonly string[];
  /** rules of aws/faultRule.ts that hold while it runs, beside those kept in `dir` */
  readonly faults?: readonly string[];
  /** seconds that temporary credentials live at most, for practising their end; left out: as long as was asked for */
  readonly sessionLife?: number;
  readonly log?: (record: RequestRecord) => void;
}

export interface Practice {
  /** http://127.0.0.1:PORT */
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly requests: readonly RequestRecord[];
  /** where this machine reaches a port of the host that has this Elastic IP, or of the load balancer with this DNS name */
  reach(address: string, port: number): { readonly host: string; readonly port: number } | undefined;
  close(): Promise<void>;
}
