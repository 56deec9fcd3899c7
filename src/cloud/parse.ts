/** Lenient readers for what the API answers: a value of another type is as good as absent. */

export function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** Characters of a text, and items of a list. The API's own are far shorter, and a long list of images must fit into memory. */
const LONGEST = 2_000;
const MOST_ITEMS = 100;

/** Not empty: the API writes '' for what it does not have. Some endpoints write ids as numbers. */
export function text(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value !== 'string' || value === '') return undefined;
  // By way of JSON: a slice alone would keep the whole text in memory.
  return value.length > LONGEST ? JSON.parse(JSON.stringify(value.slice(0, LONGEST))) : value;
}

/**
 * An id: it goes into outputs, and from there into the shells of users. With any other sign, or beginning as an option or
 * a path does, it counts as absent.
 */
export function id(value: unknown): string | undefined {
  const given = text(value);
  return given !== undefined && /^[A-Za-z0-9][\w.-]{0,127}$/.test(given) ? given : undefined;
}

export function number(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return typeof value === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : undefined;
}

export function boolean(value: unknown): boolean | undefined {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : undefined;
}

export function texts(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value
    .slice(0, MOST_ITEMS)
    .map(text)
    .filter((item) => item !== undefined);
}

export function records(value: unknown): Record<string, unknown>[] | undefined {
  return Array.isArray(value) ? value.map(record).filter((item) => item !== undefined) : undefined;
}

/** An object without the fields that are undefined. */
export function compact<T extends object>(fields: { [K in keyof T]-?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** How a body is compressed, by its label or by its first bytes; empty when it is not. */
export function packing(encoding: string, body: string): string {
  const label = encoding.toLowerCase();
  if (label !== '' && label !== 'identity') return label;
  return body.startsWith('\u001f\ufffd') ? 'gzip' : '';
}

/** Seconds: a timer takes no more than 24 days. */
const LONGEST_PAUSE = 86_400;

/** The seconds of a Retry-After: a number of them, or a date. */
export function pause(header: string, now: number): number | undefined {
  const seconds = number(header.trim()) ?? Math.ceil((Date.parse(header) - now) / 1_000);
  return seconds > 0 ? Math.min(seconds, LONGEST_PAUSE) : undefined;
}
