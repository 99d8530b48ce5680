import type { Entra } from '../identity/entra.ts';
import type { Call } from '../lib/callContext.ts';
import type { UserAuthorization } from './collections.ts';
import { type AuthFault, authFaultOf } from './errors.ts';
import type { StoreAnswer } from './transport.ts';

/** A user's key for the time of one request. */
export interface HeldKey {
  /** Absent for a raw key. */
  account?: string;
  current(): string;
  /** The Store refused this very key: has another one by the end. @throws Problem if there can be none */
  replace(call: Call, refused: string): Promise<void>;
}

/**
 * Sends as a user; on a refused identity takes a new service token, then renews the key, each once (http-api.md 2.11). What is
 * refused after that is returned as it is.
 * @throws StoreSilence, Problem
 */
export async function sendAsUser(
  call: Call,
  entra: Entra,
  held: HeldKey,
  send: (authorization: UserAuthorization) => Promise<StoreAnswer>,
): Promise<StoreAnswer> {
  const tried = { newToken: false, newKey: false };
  for (;;) {
    const { token } = await entra.token('service', call.log);
    const key = held.current();
    const answer = await send({ key, serviceToken: token });
    const fault = authFaultOf(answer);
    const step = fault === null ? 'none' : nextStep(fault, tried);
    if (step === 'none') return answer;
    tried[step] = true;
    if (step === 'newToken') entra.invalidate('service', token);
    else if (held.current() === key) await held.replace(call, key);
  }
}

/** Which of the two identities to make anew after a refusal; pure. */
export function nextStep(
  fault: AuthFault,
  tried: { newToken: boolean; newKey: boolean },
): 'newToken' | 'newKey' | 'none' {
  if (fault !== 'key' && !tried.newToken) return 'newToken';
  if (fault !== 'service' && !tried.newKey) return 'newKey';
  return 'none';
}
