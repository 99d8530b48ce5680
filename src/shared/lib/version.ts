/** The version of this service. A test holds it to that of package.json, which is not part of a deployed unit's bundle. */
export const version = '0.1.0';
