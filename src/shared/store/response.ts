import { Problem, type StoreErrorInfo } from '../contract/problems.ts';

/** Whatever status the Store answered with. */
export interface StoreResponse {
  status: number;
  /** Parsed JSON; undefined if the body is no JSON. */
  body: unknown;
  retryAfterSeconds: number | null;
  /** What it said, fit to be shown and logged. */
  error: StoreErrorInfo;
}

export const defaultOutageSeconds = 5;

/** No answer, or none that could be read: what was asked may or may not have happened. */
export class StoreNoResponseError extends Problem {
  constructor(cause: unknown) {
    super('store_unavailable', 'The Store gave no usable answer.', { retryAfterSeconds: defaultOutageSeconds, cause });
  }
}

/** The Store answered, but not with what was asked of it. As a problem it is what a read comes to for the caller. */
export class StoreRefusedError extends Problem {
  readonly operation: string;
  readonly response: StoreResponse;

  constructor(operation: string, response: StoreResponse, problem: Problem) {
    super(problem.code, problem.message, problem.details);
    this.operation = operation;
    this.response = response;
  }
}

/** The refusal of this very operation. A call can also fail by that of another, such as the renewal of its key. */
export function refusalOf(fault: unknown, operation: string): StoreResponse | undefined {
  return fault instanceof StoreRefusedError && fault.operation === operation ? fault.response : undefined;
}
