/** What the Store said about a refusal: safe to show, never a token or key (store-api.md 2.5). */
export interface StoreErrorInfo {
  status: number;
  code: string | null;
  message: string | null;
  correlationId: string | null;
  cv: string | null;
}

/** A JSON Pointer into `{path, query, body}` and what is wrong there. */
export interface FieldError {
  path: string;
  message: string;
}

/** Every problem that a caller can get: its status and title (http-api.md 1). */
export const problemCodes = {
  invalid_request: [400, 'The request is not valid'],
  length_required: [411, 'The body came without a length'],
  payload_too_large: [413, 'The body is too large'],
  unknown_user: [404, 'No User Store ID is registered for this user and account'],
  not_found: [404, 'Not found'],
  invalid_store_id: [422, 'Not a User Store ID key'],
  wrong_client: [422, 'The key belongs to another client'],
  user_mismatch: [409, 'The key names another user'],
  tracking_id_reused: [409, 'The id was used with other parameters'],
  insufficient_quantity: [409, 'The user does not own that many'],
  store_rejected: [422, 'The Store refused'],
  store_id_expired: [409, 'The User Store ID has expired'],
  x_token_expired: [409, 'The X-token has expired'],
  xbox_rejected: [422, 'The Xbox services refused'],
  store_throttled: [429, 'The Store limits the rate'],
  store_unauthorized: [502, 'The Store refused the identity of this service'],
  store_unavailable: [503, 'The Store is unavailable'],
  outcome_unknown: [504, 'The outcome is unknown'],
  unavailable: [503, 'A dependency of this service is unavailable'],
  internal: [500, 'A fault of this service'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof problemCodes;

export interface ProblemDetails {
  errors?: FieldError[];
  /** The same places as JSON Pointers, without what the caller chose: for the log. */
  wrongFields?: string[];
  retryAfterSeconds?: number;
  store?: StoreErrorInfo;
  /** The fault behind it: for the log, never for the caller. */
  cause?: unknown;
}

/** A failure that the HTTP boundary answers as problem+json. `detail` is shown to the caller. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, detail: string, details: ProblemDetails = {}) {
    super(detail, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return problemCodes[this.code][0];
  }

  /** The same problem, with another time after which it is worth trying again. */
  withRetryAfter(seconds: number): Problem {
    return new Problem(this.code, this.message, { ...this.details, retryAfterSeconds: seconds });
  }
}
