/** How often tests repeat what gains by being repeated. What they check is the same in both. */
const thorough = process.env.THOROUGH === '1';

/** For each operation. */
export const randomRequests = thorough ? 10_000 : 1000;

/** For each of 8 writers. */
export const eventsOfWriter = thorough ? 1250 : 125;

/** Random courses of a fulfilment. */
export const randomCourses = thorough ? 10_000 : 2000;
