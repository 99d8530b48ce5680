/** The error bodies of store-api.md 2.5, and how an operation refuses. */

export type ErrorSource = 'CollectionsFD' | 'PurchaseFD';

export interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

interface ErrorDetail {
  code: string;
  data: string[];
  details: ErrorDetail[];
  message: string;
  source?: string;
  target?: string;
}

const outer: Record<number, { code: string; message: string }> = {
  400: { code: 'BadRequest', message: 'The request is invalid.' },
  401: { code: 'Unauthorized', message: 'The client is not authorized to perform the requested operation.' },
  403: { code: 'Forbidden', message: 'The client is not permitted to perform the requested operation.' },
  404: { code: 'NotFound', message: 'The requested resource was not found.' },
  405: { code: 'MethodNotAllowed', message: 'The method is not allowed for this resource.' },
  409: { code: 'Conflict', message: 'The request conflicts with the current state.' },
  413: { code: 'RequestEntityTooLarge', message: 'The request is too large.' },
  429: { code: 'TooManyRequests', message: 'Too many requests.' },
  500: { code: 'InternalServerError', message: 'An internal error occurred.' },
  503: { code: 'ServiceUnavailable', message: 'The service is unavailable.' },
};

/** Thrown by an operation to refuse; the server answers with `errorBody` of it. */
export class StoreError extends Error {
  readonly status: number;
  readonly code: string;
  readonly options: { data?: string[]; fields?: string[]; headers?: Record<string, string> };

  constructor(status: number, code: string, message: string, options: StoreError['options'] = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.options = options;
  }
}

/** 400 `InvalidParameter`; `fields` are named in `details`. */
export function invalidParameter(fields: string[], message: string): StoreError {
  return new StoreError(400, 'InvalidParameter', message, { fields });
}

export function errorReply(error: StoreError, source: ErrorSource): Reply {
  const { code, message } = outer[error.status] ?? { code: 'Error', message: error.message };
  const details = (error.options.fields ?? []).map(
    (target): ErrorDetail => ({ code: error.code, data: [], details: [], message: error.message, source, target }),
  );
  return {
    status: error.status,
    headers: error.options.headers ?? {},
    body: {
      code,
      data: [],
      details,
      innererror: { code: error.code, data: error.options.data ?? [], details, message: error.message, source },
      message,
      source,
    },
  };
}

/** The default body of a status, for injected faults. */
export function plainError(status: number, source: ErrorSource): Reply {
  const { code, message } = outer[status] ?? { code: 'Error', message: 'An error occurred.' };
  return errorReply(new StoreError(status, code, message), source);
}
