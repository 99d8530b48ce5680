import { consumeContract, consumeRecordContract } from './consume.ts';
import { entitlementsContract } from './entitlements.ts';
import { eventsAckContract, eventsContract } from './events.ts';
import { gamePassContract } from './gamePass.ts';
import { grantContract, grantRecordContract } from './grants.ts';
import { healthContract, openapiContract, serviceTicketsContract } from './operations.ts';
import { pendingContract } from './pending.ts';
import type { HttpContract } from './route.ts';
import { storeIdsContract } from './storeIds.ts';

/** Every HTTP function of the suite, in the order of http-api.md 2. */
export const contracts: readonly HttpContract[] = [
  storeIdsContract,
  entitlementsContract,
  gamePassContract,
  consumeContract,
  consumeRecordContract,
  grantContract,
  grantRecordContract,
  serviceTicketsContract,
  eventsContract,
  eventsAckContract,
  pendingContract,
  healthContract,
  openapiContract,
];
