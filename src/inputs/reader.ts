import { distance } from 'fastest-levenshtein';
import { isOwnParameter } from '../cloud/images.ts';
import { durationOf, listOf, shown } from './spelling.ts';

export type Environment = Record<string, string | undefined>;

/** What reading has told, beside the values. */
export interface Reading {
  /** Keys, tokens and passwords, as they came and as they are used: to be masked before anything else. */
  secrets: string[];
  /** One sentence or two each, each beginning with the name of its input; in the order in which they were read. */
  mistakes: string[];
  notices: string[];
}

/** Five days: the longest that a job may run on a self-hosted runner. */
const LONGEST = 5 * 24 * 3_600_000;

/** Characters: what is shorter is no key, and may stand in anything. */
const SHORTEST_KEY = 12;
const PUBLIC = ['public-key', 'channel-key'];

const IMAGE_NAME = /^[\p{Script=Han}A-Za-z0-9\-_,.:[\]]{1,63}$/u;
const TAG = /^[\p{Script=Han}A-Za-z0-9\-_.]{1,63}$/u;

/** Reads typed inputs of one action, and gathers every mistake. An empty input counts as not given. */
export class Reader {
  readonly secrets: string[] = [];
  readonly notices: string[] = [];
  readonly #mistakes: { input: string; text: string; missing: boolean }[] = [];
  /** The keys that nobody else may know, by the name of their input. */
  readonly #private = new Map<string, string>();
  /** The inputs of this action. Those with a default say nothing of whether they were given. */
  readonly #asked = new Map<string, { hasDefault: boolean }>();
  readonly env: Environment;

  constructor(env: Environment) {
    this.env = env;
  }

  /** `text` goes on after the name of the input, or is a sentence of its own. */
  mistake(input: string, text: string): void {
    this.#mistakes.push({ input, text: `${input}${/^[a-z]/.test(text) ? '' : ':'} ${text}`, missing: false });
  }

  missing(input: string, variable: string | null, remedy: string): void {
    const also = variable ? `, and ${variable} is not set` : '';
    this.#mistakes.push({ input, text: `${input} is missing${also}. ${remedy}`, missing: true });
  }

  /** To be called when every input has been asked for. */
  reading(): Reading {
    const misspelt = this.#misspelt();
    const misplaced = this.#misplaced();
    // The right name is told once: as what was meant. What would show a key is not told at all.
    const told = this.#mistakes.filter(
      ({ input, missing }) => !misplaced.has(input) && (!missing || !misspelt.has(input)),
    );
    const mistakes = [...told.map(({ text }) => text), ...misspelt.values(), ...misplaced.values()];
    return { secrets: this.secrets, mistakes, notices: this.notices };
  }

  /** Whether the input was given in the workflow itself. */
  has(input: string): boolean {
    return this.#given(input).trim() !== '';
  }

  /** Given, with nothing but white space: a secret that was stored wrong. */
  isBlank(input: string): boolean {
    return this.#given(input) !== '' && !this.has(input);
  }

  /** The runner passes `a-name` as INPUT_A-NAME. */
  #given(input: string): string {
    return this.env[`INPUT_${input.toUpperCase()}`] ?? '';
  }

  #raw(input: string, variable: string | null, hasDefault = false): { value: string; from: string } {
    this.#asked.set(input, { hasDefault });
    const given = this.#given(input);
    if (given.trim() !== '' || variable === null) return { value: given, from: input };
    return { value: this.env[variable] ?? '', from: `${input} (from ${variable})` };
  }

  /**
   * Names that are no input, but near to one: `dry_run`, `target-region`. Unheeded are those near to none, and those
   * whose input was given all the same: a composite action hands down its own inputs beside ours.
   */
  #misspelt(): Map<string, string> {
    const found = new Map<string, string>();
    for (const [variable, value = ''] of Object.entries(this.env)) {
      const [, name = ''] = /^INPUT_([A-Z0-9_-]{1,80})$/.exec(variable) ?? [];
      const written = name.toLowerCase();
      if (name === '' || value.trim() === '' || this.#asked.has(written)) continue;
      for (const [input, { hasDefault }] of this.#asked) {
        const right = this.#given(input);
        if (!isNear(written, input) || right.trim() === value.trim()) continue;
        if (right.trim() === '' || hasDefault)
          found.set(
            input,
            `${input}: ${shown(written)} is not an input of this action. Write it as ${input}.`,
          );
      }
    }
    return found;
  }

  /** Inputs that hold a key of another: it would stand in errors and on pages. */
  #misplaced(): Map<string, string> {
    const found = new Map<string, string>();
    for (const [input] of this.#asked)
      for (const [owner, key] of this.#private)
        if (!this.#private.has(input) && this.#given(input).includes(key))
          found.set(input, `${input} holds the value of ${owner}. Write there what belongs there.`);
    return found;
  }

  text(input: string): string {
    return this.#raw(input, null).value.trim();
  }

  /** An id or a region: no spaces, no control characters. It must be there when there is a `remedy` for its absence. */
  word(input: string, variable: string | null, remedy?: string, hint = ''): string {
    const { value, from } = this.#raw(input, variable);
    const word = value.trim();
    if (word === '') {
      if (remedy) this.missing(input, variable, remedy);
    } else if (!/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(word)) {
      this.mistake(from, `${shown(word)} is not an id. Ids have letters, digits and - . _ : only.${hint}`);
    }
    return word;
  }

  key(input: string, variable: string | null, required = true): string {
    const { value, from } = this.#raw(input, variable, input === 'github-token');
    const key = value.trim();
    if (key !== '') this.secrets.push(...new Set([key, value]));
    if (key.length >= SHORTEST_KEY && !PUBLIC.includes(input)) this.#private.set(input, key);
    if (key !== value && key !== '')
      this.notices.push(`${from}: white space or a line break around the value was removed.`);
    if (key === '' && required) {
      const remedy =
        'Pass it from a secret. Secrets are empty in a pull request from a fork, and when the name is mistyped.';
      this.missing(input, variable, remedy);
    } else if (/\s/.test(key)) {
      this.mistake(from, 'has white space or a line break inside. Store the secret again, in one line.');
    } else if (!/^[\x21-\x7e]*$/.test(key)) {
      this.mistake(from, 'has characters that no key has. Store the secret again.');
    }
    return key;
  }

  boolean(input: string, otherwise: boolean): boolean {
    const value = this.#raw(input, null, true).value.trim();
    if (value === '') return otherwise;
    if (/^(true|True|TRUE)$/.test(value)) return true;
    if (!/^(false|False|FALSE)$/.test(value))
      this.mistake(input, `must be true or false, not ${shown(value)}.`);
    return false;
  }

  choice<const T extends string>(input: string, choices: readonly [T, ...T[]]): T {
    const value = this.#raw(input, null, true).value.trim();
    if (value === '') return choices[0];
    const chosen = choices.find((choice) => choice === value);
    if (!chosen) this.mistake(input, `must be one of ${choices.join(', ')}, not ${shown(value)}.`);
    return chosen ?? choices[0];
  }

  /** Milliseconds. `inDays`: as people think of it. */
  duration<T extends number | null>(input: string, otherwise: T, most = LONGEST, inDays = false): number | T {
    const text = this.#raw(input, null, otherwise !== null).value.trim();
    if (text === '') return otherwise;
    const { value, mistake } = durationOf(text, most, inDays);
    if (mistake !== undefined) this.mistake(input, mistake);
    return value ?? otherwise;
  }

  /** A whole number of at least 1. Null when none was given; that is a mistake if there is a `remedy`. */
  count(input: string, remedy?: string): number | null {
    const value = this.text(input);
    if (value === '' && remedy) this.missing(input, null, remedy);
    if (value === '') return null;
    if (!/^[1-9]\d{0,5}$/.test(value))
      this.mistake(input, `${shown(value)} is not a whole number of 1 or more.`);
    return Number(value);
  }

  /** Empty when none was given; that is a mistake if there is a `remedy`. */
  regions(input: string, remedy?: string): string[] {
    const text = this.text(input);
    // An output of this action, such as failed-regions, may hold none.
    if (text === '' || (text === '[]' && !remedy)) {
      if (remedy) this.missing(input, null, remedy);
      return [];
    }
    const { value, mistake } = listOf(text, /^[A-Za-z0-9][A-Za-z0-9-]*$/, 'a region id');
    if (mistake !== undefined) this.mistake(input, mistake);
    return value ?? [];
  }

  imageName(input: string): string {
    const rule = 'Image names have 1 to 63 letters, digits and - _ , . : [ ], without spaces.';
    return this.#matching(input, IMAGE_NAME, 'an image name', rule);
  }

  tag(input: string): string {
    return this.#matching(input, TAG, 'a tag', 'Tags have 1 to 63 letters, digits and - _ . only.');
  }

  #matching(input: string, pattern: RegExp, what: string, rule: string): string {
    const value = this.text(input);
    if (value !== '' && !pattern.test(value)) this.mistake(input, `${shown(value)} is not ${what}. ${rule}`);
    return value;
  }

  parameters(input: string): Record<string, string> {
    const parameters = new Map<string, string>();
    this.#raw(input, null)
      .value.split('\n')
      .forEach((line, index) => {
        if (line.trim() === '') return;
        const at = line.indexOf('=');
        const name = line.slice(0, Math.max(0, at)).trim();
        const where = `line ${index + 1}`;
        if (!/^[A-Za-z][A-Za-z0-9_.-]{0,127}$/.test(name))
          this.mistake(input, `${where} is not of the form Name=Value.`);
        else if (isOwnParameter(name))
          this.mistake(input, `${where} sets ${name}, which the action sets itself.`);
        else if (parameters.has(name)) this.mistake(input, `${where} sets ${name} a second time.`);
        else parameters.set(name, line.slice(at + 1).trim());
      });
    return Object.fromEntries(parameters);
  }

  url(input: string, variable: string, otherwise: string, allowHttp: boolean): string {
    const { value, from } = this.#raw(input, variable);
    const given = value.trim();
    if (given === '') return otherwise;
    // It would join what white space parts.
    const url = /\s/.test(given) ? null : URL.parse(given);
    if (!url || !/^https?:$/.test(url.protocol)) {
      // The scheme alone: what follows may hold a password.
      const what =
        url && /^[a-z][a-z0-9+.-]*:\/\//i.test(given)
          ? `must begin with https://, not ${url.protocol}//`
          : 'is not a URL';
      this.mistake(from, `${what}. Write it like ${otherwise}`);
      return otherwise;
    }
    const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
    if (url.username || url.password || url.search || url.hash) {
      this.mistake(from, 'must be a plain base URL, without user, password, query or fragment.');
    } else if (url.protocol === 'http:' && !isLoopback && !allowHttp) {
      this.mistake(from, `must be https, not http://${url.host}. For the VPC endpoint set allow-http: true.`);
    }
    return url.href;
  }
}

/** The same but for case, `-` and `_`; by one letter, by two in a long name; a plural; or with more behind a long name. */
function isNear(written: string, input: string): boolean {
  const [one, other] = [written, input].map((name) => name.replace(/[-_]/g, '')) as [string, string];
  if (one === `${other}s` || (other.length >= 5 && one.startsWith(other))) return true;
  const far = other.length >= 10 ? 2 : other.length >= 6 ? 1 : 0;
  return distance(one, other) <= far;
}
