import { createHash } from 'node:crypto';

/** An answer that is an error of the API: its return code and message. */
export class ApiError extends Error {
  readonly retCode: number;

  constructor(retCode: number, message: string) {
    super(message);
    this.retCode = retCode;
  }
}

/** Messages name what is missing as the API calls it inside. */
const INTERNAL_NAMES: Record<string, string> = {
  Region: 'az_group',
  Zone: 'zone_id',
  ProjectId: 'organization_id',
};

export const missingParameter = (name: string) =>
  new ApiError(220, `Missing params [${INTERNAL_NAMES[name] ?? name}]`);
export const invalidParameter = (name: string) => new ApiError(230, `Params [${name}] not available`);

/** A call as it came over the wire: flat parameters, and the texts of which its signature may be the hash. */
export interface Call {
  params: Map<string, string>;
  /** Without the private key. More than one where the vendor's clients disagree: lists in a JSON body. */
  signedTexts: string[];
}

type Pairs = Iterable<readonly [string, unknown]>;

/** `42.0` is `42`, and there is never an exponent. */
function numberText(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  const [mantissa = '', exponent] = String(value).split('e');
  if (exponent === undefined) return mantissa;
  return value.toFixed((mantissa.split('.')[1]?.length ?? 0) - Number(exponent));
}

function scalarText(value: unknown): string {
  return typeof value === 'number' ? numberText(value) : String(value);
}

const isNested = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isPresent = ([, value]: readonly [string, unknown]) => value !== null && value !== undefined;

/** Sorted by their bytes, as Python and Go sort; UTF-16, JavaScript's own order, differs beyond the BMP. */
function sorted<T>(pairs: Iterable<readonly [string, T]>): (readonly [string, T])[] {
  return [...pairs].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Lists and objects become dotted names: `ImageIds: ['a']` is `ImageIds.0: 'a'`. */
function* flatten(pairs: Pairs, prefix = ''): Generator<[string, string]> {
  for (const [name, value] of pairs) {
    if (value === null || value === undefined) continue;
    if (isNested(value)) yield* flatten(Object.entries(value), `${prefix}${name}.`);
    else yield [prefix + name, scalarText(value)];
  }
}

/** How the vendor's Go SDK signs a JSON body: a list is its items one after another, without their indices. */
function undottedText(value: unknown): string {
  if (Array.isArray(value)) return value.map(undottedText).join('');
  if (isNested(value)) return undottedPairs(Object.entries(value));
  return scalarText(value);
}

function undottedPairs(pairs: Pairs): string {
  return sorted([...pairs].filter(isPresent))
    .map(([name, value]) => name + undottedText(value))
    .join('');
}

const hash = (text: string) => createHash('sha1').update(text).digest('hex');

/** The signature of parameters whose values may be lists, objects, numbers or booleans. */
export function sign(params: Record<string, unknown>, privateKey: string): string {
  const { Signature: _, ...signed } = params;
  return hash(undottedPairs(flatten(Object.entries(signed))) + privateKey);
}

export function isSignedWith(call: Call, privateKey: string): boolean {
  const signature = call.params.get('Signature');
  return call.signedTexts.some((text) => hash(text + privateKey) === signature);
}

/** A name given twice is refused: which of the two counts would be anybody's guess. */
function formPairs(form: URLSearchParams): [string, string][] {
  const seen = new Set<string>();
  for (const name of form.keys()) {
    if (seen.has(name)) throw invalidParameter(name);
    seen.add(name);
  }
  return [...form];
}

function jsonPairs(body: string): [string, unknown][] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new ApiError(230, 'The body is not JSON');
  }
  if (!isNested(parsed) || Array.isArray(parsed)) throw new ApiError(230, 'The body is not a JSON object');
  return Object.entries(parsed);
}

/** Reads GET, POST form and POST JSON. A POST may repeat parameters in its URL (the Go SDK does with Action): the body wins. */
export function parseCall(method: string, search: URLSearchParams, contentType: string, body: string): Call {
  const query = formPairs(search);
  let fromBody: [string, unknown][] = [];
  if (method === 'POST') {
    fromBody = /\bjson\b/i.test(contentType) ? jsonPairs(body) : formPairs(new URLSearchParams(body));
  }
  const given = new Map<string, unknown>([...query, ...fromBody]);
  const params = new Map(flatten(given));
  const unsigned = ([name]: readonly [string, unknown]) => name !== 'Signature';
  const texts = [params, given].map((pairs) => undottedPairs([...pairs].filter(unsigned)));
  return { params, signedTexts: [...new Set(texts)] };
}
