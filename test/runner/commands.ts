import type { Masks } from './masks.ts';

export type Level = 'error' | 'warning' | 'notice';

export interface Annotation {
  level: Level;
  message: string;
  title?: string;
  file?: string;
  line?: string;
  endLine?: string;
  col?: string;
  endColumn?: string;
}

export interface LogLine {
  /** As a user reads it: masked, with `Error: `, `▸ ` and the like in front. */
  text: string;
  kind: Level | 'output' | 'debug' | 'group';
  /** Whether the line folds away with a group above it. */
  grouped: boolean;
}

interface Command {
  name: string;
  properties: Map<string, string>;
  data: string;
}

const known = [
  'stop-commands',
  'add-mask',
  'add-path',
  'add-matcher',
  'remove-matcher',
  'set-env',
  'set-output',
  'save-state',
  'debug',
  'warning',
  'error',
  'notice',
  'group',
  'endgroup',
  'echo',
];

const places = ['title', 'file', 'line', 'endLine', 'col', 'endColumn'] as const;

const prefixes: Record<LogLine['kind'], string> = {
  output: '',
  error: 'Error: ',
  warning: 'Warning: ',
  notice: 'Notice: ',
  debug: '##[debug]',
  group: '▸ ',
};

/** The step's console: takes what the process prints and does what the runner does with it. */
export class StepConsole {
  readonly lines: LogLine[] = [];
  readonly annotations: Annotation[] = [];
  readonly outputs: Record<string, string> = {};
  readonly state: Record<string, string> = {};
  /** Commands that were replaced by files or forbidden; an action of today uses none of them. */
  readonly deprecated: string[] = [];
  /** The runner itself fails the step, whatever the exit code says. */
  failed = false;
  readonly #masks: Masks;
  readonly #debug: boolean;
  readonly #onLine: (text: string, line: LogLine) => void;
  readonly #registered = new Set(known);
  #resumeAt: string | undefined;
  #grouped = false;

  constructor(masks: Masks, debug: boolean, onLine: (text: string, line: LogLine) => void) {
    this.#masks = masks;
    this.#debug = debug;
    this.#onLine = onLine;
  }

  get log(): string {
    return this.lines.map(({ text }) => text).join('\n');
  }

  /** One line of stdout or stderr; the runner looks for commands in both. */
  print(line: string): void {
    const command = parseV2(line, this.#registered) ?? parseV1(line, this.#registered);
    if (command === undefined || !this.#run(command, line)) this.#show('output', line);
  }

  annotate(level: Level, message: string, properties = new Map<string, string>()): void {
    this.#show(level, message);
    const annotation: Annotation = { level, message: this.#masks.apply(message).slice(0, 4096) };
    for (const place of places) {
      const value = properties.get(place.toLowerCase());
      if (value !== undefined) annotation[place] = this.#masks.apply(value);
    }
    this.annotations.push(annotation);
  }

  /** An error that the runner raises and that makes the step fail. */
  fail(message: string): void {
    this.failed = true;
    this.annotate('error', message);
  }

  #show(kind: LogLine['kind'], message: string): void {
    // Masked before it is cut into lines, so that a secret of many lines is found.
    const texts = this.#masks.apply(prefixes[kind] + message).split(/\r\n|\n|\r/);
    for (const text of texts) {
      const line: LogLine = { text, kind, grouped: this.#grouped && kind !== 'group' };
      this.lines.push(line);
      this.#onLine(text, line);
    }
  }

  /** False when the line is plain text after all. */
  #run({ name, properties, data }: Command, line: string): boolean {
    if (this.#resumeAt !== undefined) {
      if (name !== this.#resumeAt) return false;
      this.#registered.delete(name);
      this.#resumeAt = undefined;
      this.#show('output', line);
      return true;
    }
    switch (name) {
      case 'stop-commands': {
        const token = data.toLowerCase();
        if (token === '' || token === 'pause-logging' || this.#registered.has(token)) {
          this.fail(`Unable to process command '${line}' successfully: it needs a token that is no command.`);
          break;
        }
        this.#show('output', line);
        this.#resumeAt = token;
        this.#registered.add(token);
        break;
      }
      case 'add-mask':
        if (data.trim() === '') {
          this.annotate('warning', "Can't add secret mask for empty string in ##[add-mask] command.");
        } else {
          this.#masks.add(data);
        }
        break;
      case 'error':
      case 'warning':
      case 'notice':
        this.annotate(name, data, properties);
        break;
      case 'debug':
        if (this.#debug) for (const text of data.split(/\r\n|\n/)) this.#show('debug', text);
        break;
      case 'group':
        this.#show('group', data);
        this.#grouped = true;
        break;
      case 'endgroup':
        this.#grouped = false;
        break;
      case 'set-output':
      case 'save-state': {
        this.deprecated.push(name);
        this.annotate('warning', `The \`${name}\` command is deprecated and will be disabled soon.`);
        const key = properties.get('name');
        if (key === undefined) this.fail(`Required field 'name' is missing in ##[${name}] command.`);
        else if (name === 'set-output') this.outputs[key] = data;
        else this.state[key] = data;
        break;
      }
      case 'set-env':
      case 'add-path':
        this.deprecated.push(name);
        this.fail(`The \`${name}\` command is disabled. Please upgrade to using Environment Files.`);
        break;
      // Problem matchers and echo change how a log is read, not what an action did.
      default:
        break;
    }
    return true;
  }
}

/** `::name key=value,key=value::data`, with nothing but white space before it. */
function parseV2(line: string, registered: ReadonlySet<string>): Command | undefined {
  const text = line.replace(/^[\s\u0085]+/, '');
  if (!text.startsWith('::')) return undefined;
  const end = text.indexOf('::', 2);
  if (end < 0) return undefined;
  return command(text.slice(2, end), text.slice(end + 2), registered, ',', unescapeProperty, unescapeData);
}

/** `##[name key=value;key=value]data`, anywhere in a line. */
function parseV1(line: string, registered: ReadonlySet<string>): Command | undefined {
  const start = line.indexOf('##[');
  if (start < 0) return undefined;
  const end = line.indexOf(']', start);
  if (end < 0) return undefined;
  return command(line.slice(start + 3, end), line.slice(end + 1), registered, ';', unescapeV1, unescapeV1);
}

function command(
  head: string,
  data: string,
  registered: ReadonlySet<string>,
  separator: string,
  unescapeValue: (text: string) => string,
  unescapeBody: (text: string) => string,
): Command | undefined {
  const space = head.indexOf(' ');
  const name = (space < 0 ? head : head.slice(0, space)).toLowerCase();
  if (!registered.has(name)) return undefined;
  const properties = new Map<string, string>();
  for (const pair of space < 0
    ? []
    : head
        .slice(space + 1)
        .trim()
        .split(separator)) {
    const [, key, value] = /^=*([^=]+)=(.+)$/s.exec(pair) ?? [];
    if (key !== undefined && value !== undefined) properties.set(key.toLowerCase(), unescapeValue(value));
  }
  return { name, properties, data: unescapeBody(data) };
}

// The order matters: %25 comes last, so that %250A is the text %0A.
const unescaper = (pairs: readonly (readonly [string, string])[]) => (text: string) =>
  pairs.reduce((done, [from, to]) => done.replaceAll(from, to), text);
const breaks = [
  ['%0D', '\r'],
  ['%0A', '\n'],
] as const;
const percent = ['%25', '%'] as const;
const unescapeData = unescaper([...breaks, percent]);
const unescapeProperty = unescaper([...breaks, ['%3A', ':'], ['%2C', ','], percent]);
const unescapeV1 = unescaper([['%3B', ';'], ...breaks, ['%5D', ']'], percent]);

/** Cuts a stream into lines where the runner does: at LF, CRLF and a lone CR. */
export class Lines {
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: string): void {
    // A CR that ends the chunk may be half a CRLF: it waits.
    const lines = (this.#rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }

  end(): void {
    if (this.#rest !== '') this.#onLine(this.#rest.replace(/\r$/, ''));
    this.#rest = '';
  }
}
