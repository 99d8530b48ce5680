import * as z from 'zod';
import { sandboxId } from '../lib/sandbox.ts';

const percentEscape = /%[0-9A-Fa-f]{2}/;

/** What is wrong with a user id, or undefined (http-api.md 1: 1 to 256 code points, no U+0000, lone surrogates, dot segments, percent escapes). */
function userIdFault(text: string): string | undefined {
  const length = [...text].length;
  if (length < 1 || length > 256) return 'must have 1 to 256 characters';
  if (text.includes('\u0000')) return 'must not contain U+0000';
  if (/\p{Surrogate}/u.test(text)) return 'must not contain a lone surrogate';
  if (text === '.' || text === '..') return 'must not be . or ..';
  if (percentEscape.test(text)) return 'must not contain a percent sign followed by two hex digits';
  return undefined;
}

export const userId = z
  .string()
  .superRefine((text, context) => {
    const fault = userIdFault(text);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, input: text });
  })
  .meta({
    description: 'The caller\u2019s own id of the player: 1 to 256 Unicode code points, case-sensitive.',
    minLength: 1,
    maxLength: 256,
  });

/** A user id in a path, as the host passes it on: every escape is decoded but that of the slash. */
export const pathUserId = z
  .string()
  .transform((text) => text.replace(/%2F/gi, '/'))
  .pipe(userId);

export const account = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -')
  .meta({ description: 'One of several Store accounts of a player.' });

/** An account, or all accounts of the user. */
export const accountOrAll = z
  .string()
  .regex(/^([A-Za-z0-9._-]{1,64}|\*)$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -, or *')
  .meta({ description: 'One of several Store accounts of a player, or * for all of them.' });

export const productId = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ : -')
  .meta({ description: 'The Store\u2019s product id.' });

export const skuId = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -')
  .meta({ description: 'The Store\u2019s id of a SKU of the product.' });

export const sandbox = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -')
  .overwrite(sandboxId)
  .meta({ description: 'Another sandbox to look into; default: the one of this deployment.' });

/** Of any version; compared and stored in lower case. */
export const uuid = z
  .string()
  .regex(/^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/, 'must be a UUID')
  .toLowerCase()
  .meta({ format: 'uuid' });

/** Checked by its own decoder (invalid_store_id), not by the schema. */
export const storeIdKey = z.string().meta({ description: 'A User Store ID key: a JWT made on the game client.' });

export const time = z.iso.datetime({ precision: 3 }).meta({ description: 'ISO 8601 in UTC with milliseconds.' });

const headerText = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

export const xToken = z
  .strictObject({
    userHash: headerText.max(64),
    token: headerText.max(16_384),
    signature: headerText.max(4096).optional(),
  })
  .meta({
    id: 'XToken',
    description: 'A delegated X-token of the player (relying party http://licensing.xboxlive.com).',
  });

/** A whole number of a query parameter, which arrives as text: digits alone. OpenAPI shows what it is parsed to. */
export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(least).max(most));
