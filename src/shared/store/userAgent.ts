/** Names this service and its version to the Store. A test holds the version to that of package.json. */
export const userAgent = 'microsoft-store-functions/0.1.0';
