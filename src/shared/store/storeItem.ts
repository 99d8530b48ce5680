import * as z from 'zod';
import { countOf, flagOf, memberReader, textOf, textsOf } from './answer.ts';
import { isoOf, secondsOf } from './dates.ts';

/** One entitlement (store-api.md 2.1, 2.3), read: dates as ISO 8601 or null, texts that are missing or unreadable as null. */
export type StoreItem = ReturnType<typeof itemOf>;

/**
 * Only the product id is required: without it an item says nothing, and leaving it out could take something away from a player. Made
 * by functions and not of a schema for each member, which takes several times as long: a page has up to 200 items of 25 members.
 */
export const storeItem = z.unknown().transform((input, context): StoreItem => {
  const members = readItem(input);
  const productId = textOf(members?.productId);
  if (members && productId !== null) return itemOf(productId, members);
  context.addIssue({ code: 'custom', path: members ? ['productId'] : [], message: 'is missing or unreadable' });
  return z.NEVER;
});

const readItem = memberReader([
  'id',
  'productId',
  'skuId',
  'productKind',
  'productType',
  'status',
  'quantity',
  'acquiredDate',
  'startDate',
  'endDate',
  'modifiedDate',
  'acquisitionType',
  'satisfiedByProductIds',
  'recurrenceData',
  'recurrenceId',
  'transactionId',
  'trialData',
  'tags',
  'legacyProductId',
  'devOfferId',
  'inAppOfferToken',
  'productFamily',
  'purchasedCountry',
  'sharingSource',
]);
const readTrial = memberReader(['isTrial', 'isInTrialPeriod', 'trialTimeRemaining']);
const readRecurrence = memberReader(['recurrenceId']);

const unknownValue = 'Unknown';

function itemOf(productId: string, members: NonNullable<ReturnType<typeof readItem>>) {
  const trial = readTrial(members.trialData);
  return {
    id: textOf(members.id),
    productId,
    skuId: textOf(members.skuId),
    kind: textOf(members.productKind) ?? textOf(members.productType) ?? unknownValue,
    status: textOf(members.status) ?? unknownValue,
    quantity: countOf(members.quantity) ?? 1,
    acquiredDate: isoOf(textOf(members.acquiredDate)),
    startDate: isoOf(textOf(members.startDate)),
    endDate: isoOf(textOf(members.endDate)),
    modifiedDate: isoOf(textOf(members.modifiedDate)),
    acquisitionType: textOf(members.acquisitionType),
    satisfiedByProductIds: textsOf(members.satisfiedByProductIds),
    recurrenceId: recurrenceIdOf(members.recurrenceData) ?? recurrenceIdOf(members.recurrenceId),
    transactionId: textOf(members.transactionId),
    trial: {
      isTrial: flagOf(trial?.isTrial),
      inTrialPeriod: flagOf(trial?.isInTrialPeriod),
      remainingSeconds: secondsOf(textOf(trial?.trialTimeRemaining)),
    },
    /** Of a shape that is not documented. Null if absent. */
    tags: members.tags,
    legacyProductId: textOf(members.legacyProductId),
    devOfferId: textOf(members.devOfferId),
    inAppOfferToken: textOf(members.inAppOfferToken),
    productFamily: textOf(members.productFamily),
    purchasedCountry: textOf(members.purchasedCountry),
    sharingSource: textOf(members.sharingSource),
  };
}

/** A text, or an object with the text as `recurrenceId`; `{}` and an empty text are none (store-api.md 2.1, 2.3). */
function recurrenceIdOf(value: unknown): string | null {
  return textOf(value) ?? textOf(readRecurrence(value)?.recurrenceId);
}
