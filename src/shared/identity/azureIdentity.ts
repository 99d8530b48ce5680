/** What the service uses of the identity library. It is imported only at first use: it takes a third of the load time of a unit. */
export {
  ClientAssertionCredential,
  ClientSecretCredential,
  DefaultAzureCredential,
  ManagedIdentityCredential,
} from '@azure/identity';
