/** Counts of what tests repeat: fewer unless THOROUGH=1. What they check is the same. */
const thorough = process.env.THOROUGH === '1';

/** For each operation. */
export const randomRequests = thorough ? 10_000 : 500;

/** For each of 8 writers. */
export const eventsOfWriter = thorough ? 1250 : 125;

/** Random sequences of events of one fulfilment. */
export const randomSequences = thorough ? 10_000 : 2000;

/** Odd answers of the Store, for each operation. */
export const oddAnswers = thorough ? 20_000 : 500;
