/**
 * How people write lists, durations and Packer's name of an image. Pure: text in; its value, or one sentence that says
 * how it is to be written, out.
 */
export type Spelled<T> =
  | { value: T; mistake?: undefined; notice?: string }
  | { value?: undefined; mistake: string; notice?: undefined };

const HOW_TO_LIST = 'Use one per line, commas, or a JSON array such as ["hk","sg"].';

/** Lines (also `- hk`, and `hk  # a comment`), commas, blanks between, or a JSON array; in quotes or not. */
export function listOf(text: string, item: RegExp, what: string, how = HOW_TO_LIST): Spelled<string[]> {
  const trimmed = text.trim();
  if (trimmed.startsWith('{'))
    return { mistake: `is a JSON object, not a list. Give its keys as a list: ${how}` };
  const words = trimmed.startsWith('[') ? wordsOfArray(trimmed) : wordsOfLines(trimmed);
  if (words === null) return { mistake: `${shown(trimmed)} is not a whole JSON array of texts. ${how}` };
  const wrong = words.filter((word) => !item.test(word));
  if (wrong.length > 0) {
    const is = wrong.length === 1 ? `is not ${what}` : `are not ${what}s`.replace(/ (a|an) /, ' ');
    return { mistake: `${wrong.map(shown).join(', ')} ${is}. ${how}` };
  }
  if (words.length === 0 && trimmed !== '') return { mistake: `${shown(trimmed)} is an empty list. ${how}` };
  return { value: [...new Set(words)] };
}

function wordsOfArray(text: string): string[] | null {
  try {
    const items: unknown = JSON.parse(text);
    const isList = Array.isArray(items) && items.every((item) => typeof item === 'string');
    return isList ? items.map((item: string) => item.trim()) : null;
  } catch {
    // As YAML allows it: [hk, sg].
    const [, inner] = /^\[([^[\]{}]*)\]$/.exec(text) ?? [];
    return inner === undefined ? null : wordsOfLines(inner);
  }
}

function wordsOfLines(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.replace(/(?:^|\s)#.*$/, '').split(/[\s,]+/))
    .filter((word) => word !== '' && word !== '-')
    .map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
}

/** Milliseconds. Each unit as the field writes it, in any case of letters. */
const UNITS: [RegExp, number][] = [
  [/^d(ays?)?$/, 24 * 3_600_000],
  [/^h((ou)?rs?)?$/, 3_600_000],
  [/^m(in(ute)?s?)?$/, 60_000],
  [/^s(ec(ond)?s?)?$/, 1_000],
];

/** Milliseconds: `90s`, `1h 30m`, `2 hours`, `1.5h`; the larger unit first, each once. `inDays`: as people think of it. */
export function durationOf(text: string, most: number, inDays = false): Spelled<number> {
  const spelled = text.trim().toLowerCase();
  const howTo = inDays ? 'Write it as 12h, 7d or 30d.' : 'Write it as 90s, 45m or 1h30m.';
  if (/^\d+(\.\d+)?$/.test(spelled)) {
    const units = inDays ? `${spelled}h or ${spelled}d` : `${spelled}s, ${spelled}m or ${spelled}h`;
    return { mistake: `${shown(text)} has no unit. Add a unit: ${units}.` };
  }
  if (!/^(\d{1,8}(\.\d{1,6})?\s*[a-z]+\s*)+$/.test(spelled))
    return { mistake: `${shown(text)} is not a duration. ${howTo}` };
  // Months, to many.
  if (inDays && /\dM(?![a-z])/.test(text.replaceAll(' ', '')))
    return { mistake: `${shown(text)} may mean minutes or months. ${howTo}` };
  let ms = 0;
  let last = -1;
  for (const [, amount = '', unit = ''] of spelled.matchAll(/([\d.]+)\s*([a-z]+)/g)) {
    const index = UNITS.findIndex(([pattern]) => pattern.test(unit));
    if (index < 0) return { mistake: `${shown(unit)} in ${shown(text)} is not a unit of time. ${howTo}` };
    if (index <= last)
      return {
        mistake: `${shown(text)} is not a duration: give each unit once, the largest first. ${howTo}`,
      };
    last = index;
    ms += Number(amount) * (UNITS[index]?.[1] ?? 0);
  }
  ms = Math.round(ms);
  if (ms < 1000) return { mistake: 'must be at least 1s.' };
  if (ms > most) return { mistake: `must be at most ${most / 3_600_000}h.` };
  return { value: ms };
}

const HOW_TO_GLOB = 'It takes a glob: * for any text and ? for one character, such as web-*.';

/** No letter of it can tell a name from a glob, but some tell a regular expression. */
export function globOf(text: string): Spelled<string> {
  if (/[\p{Cc}"]|, /u.test(text))
    return { mistake: `${shown(text)} is no name, nor one glob. ${HOW_TO_GLOB}` };
  if (!/^\^|\$$|\\|^\/.*\/$|[\])][+*?]|\(.*\|/.test(text)) return { value: text };
  return { mistake: `${shown(text)} looks like a regular expression. ${HOW_TO_GLOB}` };
}

const HOW_TO_NAME =
  'Give image ids one per line, with commas, or an output of this action such as image-ids: uimage-abc123 or {"hk":"uimage-abc123"}.';

/**
 * Image ids as people write them, or as an output of this action gives them: a list, region → id, region → ids, images.
 * In lower case, which is how they are compared.
 */
export function idsOf(text: string): Spelled<string[]> {
  const trimmed = text.trim();
  if (trimmed === '') return { value: [] };
  if (!/^[[{]/.test(trimmed)) {
    const list = listOf(trimmed, IMAGE_ID, 'an image id', HOW_TO_NAME);
    return list.value ? { value: lowered(list.value) } : list;
  }
  try {
    const ids = idsIn(JSON.parse(withEveryKey(trimmed)));
    if (ids) return { value: lowered(ids) };
  } catch {}
  return { mistake: `${shown(trimmed)} is not a list of image ids. ${HOW_TO_NAME}` };
}

function lowered(ids: string[]): string[] {
  return [...new Set(ids.map((id) => id.toLowerCase()))];
}

const IMAGE_ID = /^(?!null$)[a-z][a-z0-9._-]{0,127}$/i;

/** Each key with a number behind it: of a key that is repeated JSON.parse would keep the last value alone. */
function withEveryKey(json: string): string {
  let count = 0;
  return json.replace(/("(?:[^"\\]|\\.)*)"(\s*:)?/g, (string, key, colon) =>
    colon ? `${key} ${++count}"${colon}` : string,
  );
}

/** Null when something in it is neither an id nor holds one: what should be protected must not be passed over. */
function idsIn(value: unknown): string[] | null {
  if (typeof value === 'string') return IMAGE_ID.test(value) ? [value] : null;
  if (typeof value !== 'object' || value === null) return null;
  // An entry of the output images; that of a copy that was never made has no id.
  const own = Object.entries(value).filter(([key]) => /^imageId \d+$/.test(key));
  const parts =
    own.length > 0 ? own.map(([, id]) => (id === null ? [] : idsIn(id))) : Object.values(value).map(idsIn);
  return parts.includes(null) ? null : parts.flatMap((ids) => ids ?? []);
}

export interface PackerImage {
  projectId: string;
  region: string;
  imageId: string;
}

/** An image as Packer's manifest and log name it: `project:region:id`. */
export function packerId(text: string): PackerImage | null {
  const parts = text.split(':');
  const [projectId, region, imageId] = parts;
  const areIds = parts.length === 3 && parts.every((part) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(part));
  return areIds && projectId && region && imageId ? { projectId, region, imageId } : null;
}

/** A wrong value as it is told: short, on one line. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
