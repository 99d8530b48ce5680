import * as z from 'zod';
import { flag, optionalCount, optionalText, requiredText, storeObject, texts } from './answer.ts';
import { isoOf, secondsOf } from './dates.ts';

const unknownValue = 'Unknown';

const trial = storeObject({
  isTrial: flag,
  isInTrialPeriod: flag,
  trialTimeRemaining: optionalText.transform(secondsOf),
});
const date = optionalText.transform(isoOf);

/**
 * One entitlement (store-api.md 2.1, 2.3). Only the product id is required: without it an item says nothing, and leaving it out could
 * take something away from a player.
 */
export const storeItem = storeObject({
  id: optionalText,
  productId: requiredText,
  skuId: optionalText,
  productKind: optionalText,
  productType: optionalText,
  status: optionalText.transform((status) => status ?? unknownValue),
  quantity: optionalCount.transform((quantity) => quantity ?? 1),
  acquiredDate: date,
  startDate: date,
  endDate: date,
  modifiedDate: date,
  acquisitionType: optionalText,
  satisfiedByProductIds: texts,
  recurrenceData: z.unknown().transform(recurrenceIdOf),
  recurrenceId: z.unknown().transform(recurrenceIdOf),
  transactionId: optionalText,
  trialData: trial.nullable().catch(null),
  tags: z.unknown(),
  legacyProductId: optionalText,
  devOfferId: optionalText,
  inAppOfferToken: optionalText,
  productFamily: optionalText,
  purchasedCountry: optionalText,
  sharingSource: optionalText,
}).transform(({ productKind, productType, recurrenceData, recurrenceId, ...item }) => ({
  ...item,
  kind: productKind ?? productType ?? unknownValue,
  recurrenceId: recurrenceData ?? recurrenceId,
}));
export type StoreItem = z.output<typeof storeItem>;

const recurrence = storeObject({ recurrenceId: optionalText });

/** A text, or an object with the text as `recurrenceId`; `{}` and an empty text are none (store-api.md 2.1, 2.3). */
function recurrenceIdOf(value: unknown): string | null {
  if (typeof value === 'string') return value || null;
  const parsed = recurrence.safeParse(value);
  return parsed.success ? parsed.data.recurrenceId : null;
}
