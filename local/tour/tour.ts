/** The tour of `npm run demo`. */
import type { Stack } from '../stack.ts';
import { consumeSteps, grantSteps } from './consumes.ts';
import { gamePassSteps, querySteps } from './queries.ts';
import { createTour } from './step.ts';
import { farewellSteps, registrationSteps, renewalSteps } from './storeIds.ts';

/**
 * Performs the steps against a running stack and prints each with what came back.
 * @throws Error at the first step that is not right
 */
export async function tour(stack: Stack, signal: AbortSignal): Promise<{ steps: number }> {
  const context = createTour(stack, signal);
  const steps = [
    ...registrationSteps(context),
    ...querySteps(context),
    ...gamePassSteps(context),
    ...renewalSteps(context),
    ...consumeSteps(context),
    ...grantSteps(context),
    ...farewellSteps(context),
  ];
  for (const [index, { title, perform }] of steps.entries()) {
    signal.throwIfAborted();
    console.log(`\n${index + 1}. ${title}`);
    console.log(`   -> ${await perform()}`);
  }
  return { steps: steps.length };
}
