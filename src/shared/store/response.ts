import { Problem, type StoreErrorInfo } from '../contract/problems.ts';

/** An answer of the Store, with any status. */
export interface StoreResponse {
  status: number;
  /** Parsed JSON; undefined if the body is no JSON. */
  body: unknown;
  retryAfterSeconds: number | null;
  /** What the Store said, safe to show and to log. */
  error: StoreErrorInfo;
}

export const defaultOutageSeconds = 5;

export const noUsableAnswer =
  'The Store gave no usable answer. Send the same request again after the seconds of Retry-After.';

/** A call is not sent with less time than an answer takes: the Store might act, and nobody would know. */
export const leastAnswerMs = 2000;

/** Whether the Store did what was asked. The documentation says 200; other successes with the same body have been seen. */
export function isSuccess({ status }: Pick<StoreResponse, 'status'>): boolean {
  return status >= 200 && status < 300;
}

/** No answer, or none that could be read: what was asked may or may not have happened. */
export class StoreNoResponseError extends Problem {
  constructor(cause: unknown) {
    super('store_unavailable', noUsableAnswer, { retryAfterSeconds: defaultOutageSeconds, cause });
  }
}

/** A call that ended before anything was sent to the Store: it has certainly not acted. As a Problem it says why. */
export class NothingSentError extends Problem {
  constructor(problem: Problem) {
    super(problem.code, problem.message, problem.details);
  }
}

/** No connection to the Store could be made. It may be possible in a moment, unlike with other calls of which nothing was sent. */
export class StoreNotReachedError extends NothingSentError {}

export function tooLittleTime(): NothingSentError {
  const detail = 'Too little time was left to ask the Store; try again.';
  return new NothingSentError(new Problem('unavailable', detail, { retryAfterSeconds: 1 }));
}

/** The Store answered with another status than a success. As a Problem it is what the caller of a read gets. */
export class StoreRefusedError extends Problem {
  readonly operation: string;
  readonly response: StoreResponse;

  constructor(operation: string, response: StoreResponse, problem: Problem) {
    super(problem.code, problem.message, problem.details);
    this.operation = operation;
    this.response = response;
  }
}

/** The response that refused this operation. A call can also fail because another one was refused, such as the renewal of its key. */
export function refusalOf(fault: unknown, operation: string): StoreResponse | undefined {
  return fault instanceof StoreRefusedError && fault.operation === operation ? fault.response : undefined;
}
