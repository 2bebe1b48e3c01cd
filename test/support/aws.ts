import { type Aws, connect } from '../../src/aws/clients.ts';
import type { Server } from './cli.ts';

/** The product's own clients on a practice server: what a person does by hand, and what is really there. */
export function clients(server: Server): Aws {
  return connect({
    region: server.env.AWS_REGION ?? '',
    endpointUrl: server.endpoint,
    credentials: {
      accessKeyId: server.env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY ?? '',
    },
    waitScale: 0.01,
  });
}
