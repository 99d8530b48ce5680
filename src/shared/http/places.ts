import { Problem } from '../contract/problems.ts';

const retryAfterSeconds = 2;

/** The requests that one function serves at a time in this process. */
export interface Places {
  /**
   * Does the work if a place is free.
   * @throws Problem unavailable at once if none is
   */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** More requests at once than `limit` are refused before anything is done for them, so that memory has a bound. */
export function createPlaces(limit: number): Places {
  let taken = 0;
  return {
    async run(work) {
      if (taken >= limit) throw overloaded();
      taken += 1;
      try {
        return await work();
      } finally {
        taken -= 1;
      }
    },
  };
}

function overloaded(): Problem {
  const detail =
    'This instance serves as many requests of this function as it can at a time. Nothing was done: send the same request again ' +
    'after the seconds of Retry-After.';
  return new Problem('unavailable', detail, { retryAfterSeconds });
}
