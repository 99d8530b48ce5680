import { Problem } from '../contract/problems.ts';
import type { KeyOwner } from '../identity/cipher.ts';
import type { Entra } from '../identity/entra.ts';
import { decodeStoreId, type KeyKind, type StoreIdClaims } from '../identity/storeId.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { FailureMemory } from '../lib/failureMemory.ts';
import { faultFields } from '../lib/log.ts';
import { authFaultOf, storeIdExpired, storeUnavailable } from '../store/errors.ts';
import type { KeysApi } from '../store/keys.ts';
import {
  leastAnswerMs,
  NothingSentError,
  StoreNotReachedError,
  StoreRefusedError,
  tooLittleTime,
} from '../store/response.ts';
import { keyIdOf } from './refusals.ts';
import { countsAgainstKey, renewalFaultOf } from './renewalPolicy.ts';

export type Renewal =
  | { outcome: 'renewed'; key: string; claims: StoreIdClaims }
  /** The Store refused, for now or for good. `named`: it named the key, else the service's token may be at fault. */
  | { outcome: 'refused'; named: boolean; problem: Problem }
  /** It cannot be known now. The problem is the answer to a caller who cannot go on without a new key. */
  | { outcome: 'later'; problem: Problem };

/** Whose key it is, and what it may name as its user. */
export type RenewalOwner = KeyOwner & { publisherUserId?: string | undefined };

export interface SuccessorParts {
  clientId: string;
  clock: Clock;
  entra: Entra;
  keys: KeysApi;
}

/** Asks the Store for successors of keys. A failure is answered from memory for 30 s (http-api.md 2.11). */
export interface Successors {
  /** @param onRefused is told of a refusal that counts against the key */
  ask(
    call: CallContext,
    owner: RenewalOwner,
    key: string,
    onRefused?: (refusal: { token: string; at: number }) => void,
  ): Promise<Renewal>;
  /** The failure that is still remembered of this key. A refusal that may be the service token's fault is one of that token only. */
  failureOf(key: string): Renewal | undefined;
}

const failureMs = 30_000;
/** The longest `Retry-After` of the Store that is kept to. */
const longestPauseMs = 10 * 60_000;

export function createSuccessors(parts: SuccessorParts): Successors {
  const { clock, entra } = parts;
  const failures = new FailureMemory<{ renewal: Renewal; token: string }>(clock);
  const failureOf = (key: string): Renewal | undefined => {
    const remembered = failures.recall(keyIdOf(key));
    if (!remembered) return undefined;
    const { renewal, token } = remembered.failure;
    const isUndecided = renewal.outcome === 'refused' && !renewal.named;
    return isUndecided && token !== entra.current('service') ? undefined : again(renewal, remembered.leftMs);
  };
  return {
    failureOf,
    async ask(call, owner, key, onRefused) {
      const failed = failureOf(key);
      if (failed) return failed;
      let token = '';
      try {
        const onToken = (used: string) => {
          token = used;
        };
        return acceptedRenewal(parts, call, owner, await askStore(parts, call, owner.kind, key, onToken));
      } catch (fault) {
        const renewal = failedRenewal(fault, owner.kind);
        if (saysSomething(fault)) failures.remember(keyIdOf(key), { renewal, token }, pauseMs(renewal));
        const counts = fault instanceof StoreRefusedError && countsAgainstKey(fault.response);
        if (counts) onRefused?.({ token, at: clock.now() });
        return renewal;
      }
    },
  };
}

/** Whether a failure is likely to come again. A call for which there was no token, time or free connection says nothing of the Store. */
function saysSomething(fault: unknown): boolean {
  return !(fault instanceof NothingSentError) || fault instanceof StoreNotReachedError;
}

/**
 * Asks again if the Store refuses the service token, with a new one if there is another one.
 * @param onToken is told of each service token before it is sent
 * @throws NothingSentError, StoreRefusedError, StoreNoResponseError, Problem
 */
async function askStore(
  parts: SuccessorParts,
  call: CallContext,
  kind: KeyKind,
  key: string,
  onToken: (token: string) => void,
): Promise<string> {
  const { entra, keys, clock } = parts;
  const ask = async (): Promise<{ key: string } | { refused: StoreRefusedError; hasOtherToken: boolean }> => {
    const token = await serviceToken(parts, call);
    onToken(token);
    const sentAt = clock.now();
    try {
      const renewed = await keys.renew(call, kind, key, token);
      entra.acceptances.note(token, call.log);
      return { key: renewed };
    } catch (fault) {
      if (!(fault instanceof StoreRefusedError) || authFaultOf(fault.response) !== 'service') throw fault;
      return { refused: fault, hasOtherToken: await entra.replace('service', { token, sentAt }, call.log) };
    }
  };
  const first = await ask();
  if ('key' in first) return first.key;
  if (!first.hasOtherToken) throw first.refused;
  const second = await ask().catch((fault: unknown) => {
    throw fault instanceof NothingSentError ? first.refused : fault;
  });
  if ('key' in second) return second.key;
  throw second.refused;
}

/** @throws NothingSentError if there is no token, or too little time for an answer */
async function serviceToken({ entra, clock }: SuccessorParts, call: CallContext): Promise<string> {
  const { token } = await entra.token('service', call.log).catch((fault: unknown) => {
    throw fault instanceof Problem ? new NothingSentError(fault) : fault;
  });
  if (clock.now() + leastAnswerMs > call.deadline) throw tooLittleTime();
  return token;
}

function acceptedRenewal(
  { clientId, clock }: SuccessorParts,
  call: CallContext,
  owner: RenewalOwner,
  key: string,
): Renewal {
  const { kind, userId, account, publisherUserId = userId } = owner;
  try {
    return {
      outcome: 'renewed',
      key,
      claims: decodeStoreId(key, { kind, clientId, publisherUserId, now: clock.now() }),
    };
  } catch (cause) {
    call.log('warn', 'renewal.unreadable', { userId, account, kind, ...faultFields(cause) });
    throw storeUnavailable({ cause });
  }
}

/** @throws a fault that is no problem */
function failedRenewal(fault: unknown, kind: KeyKind): Renewal {
  if (!(fault instanceof StoreRefusedError)) return later(fault);
  const about = renewalFaultOf(fault.response);
  // A refused service and a failure of the Store say nothing about the key.
  if (about === null || about === 'service' || about === 'store') return { outcome: 'later', problem: fault };
  const problem = storeIdExpired(`${kind} key`, { store: fault.response.error });
  return { outcome: 'refused', named: about === 'key', problem };
}

function pauseMs(renewal: Renewal): number {
  const asked = renewal.outcome === 'later' ? (renewal.problem.details.retryAfterSeconds ?? 0) * 1000 : 0;
  return Math.max(failureMs, Math.min(asked, longestPauseMs));
}

/** A failure as it is answered from memory. */
function again(renewal: Renewal, leftMs: number): Renewal {
  if (renewal.outcome !== 'later') return renewal;
  return { outcome: 'later', problem: renewal.problem.withRetryAfter(Math.ceil(leftMs / 1000)) };
}

/** @throws a fault that is no problem */
export function later(fault: unknown): Renewal {
  if (fault instanceof Problem) return { outcome: 'later', problem: fault };
  throw fault;
}
