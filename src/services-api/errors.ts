/** What a client is told: an HTTP status, a code for programs (the Open Service Broker API's where it has one) and a sentence for people. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = code;
  }
}

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
