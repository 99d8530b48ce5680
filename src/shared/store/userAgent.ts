import { version } from '../lib/version.ts';

/** Names this service and its version to the Store. */
export const userAgent = `microsoft-store-functions/${version}`;
