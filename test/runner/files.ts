import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepConsole } from './commands.ts';
import type { Masks } from './masks.ts';

const names = {
  GITHUB_OUTPUT: 'output',
  GITHUB_STATE: 'state',
  GITHUB_ENV: 'env',
  GITHUB_PATH: 'path',
  GITHUB_STEP_SUMMARY: 'step_summary',
} as const;

const summaryLimit = 1024 * 1024;

export interface FileResults {
  outputs: Record<string, string>;
  state: Record<string, string>;
  env: Record<string, string>;
  path: string[];
  summary: string;
}

/** The files through which a step talks to the runner: fresh for each step, read when it is over. */
export class FileCommands {
  readonly env: Record<string, string>;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.env = Object.fromEntries(Object.entries(names).map(([name, file]) => [name, join(folder, file)]));
    for (const path of Object.values(this.env)) writeFileSync(path, '');
  }

  /** What cannot be read fails the step, but for a summary, which is only lost. */
  collect(console: StepConsole, masks: Masks): FileResults {
    return {
      outputs: this.#pairs('GITHUB_OUTPUT', console),
      state: this.#pairs('GITHUB_STATE', console),
      env: this.#pairs('GITHUB_ENV', console),
      path: this.#read('GITHUB_PATH')
        .split(/\r\n|\n|\r/)
        .filter((line) => line !== ''),
      summary: this.#summary(console, masks),
    };
  }

  #read(name: keyof typeof names): string {
    const path = this.env[name] as string;
    return existsSync(path) ? readFileSync(path, 'utf8').replace(/^\uFEFF/, '') : '';
  }

  #pairs(name: keyof typeof names, console: StepConsole): Record<string, string> {
    const pairs: Record<string, string> = {};
    try {
      for (const [key, value] of parsePairs(this.#read(name))) {
        pairs[key] = value;
      }
    } catch (error) {
      console.fail(`Unable to process file command '${names[name]}' successfully.`);
      console.fail((error as Error).message);
    }
    return pairs;
  }

  #summary(console: StepConsole, masks: Masks): string {
    const text = this.#read('GITHUB_STEP_SUMMARY');
    const size = Buffer.byteLength(text);
    if (size > summaryLimit) {
      const sizes = `supports content up to a size of ${summaryLimit / 1024}k, got ${Math.floor(size / 1024)}k`;
      console.annotate('error', `$GITHUB_STEP_SUMMARY upload aborted, ${sizes}.`);
      return '';
    }
    return text
      .split(/\r\n|\n|\r/)
      .map((line) => masks.apply(line))
      .join('\n');
  }
}

/**
 * `name=value` lines, and `name<<DELIMITER` blocks that end at a line which is just the delimiter. What stands before
 * a malformed line is yielded, as the runner keeps it. The runner takes CRLF for an end of line on Windows alone.
 */
export function* parsePairs(
  text: string,
  crlf = process.platform === 'win32',
): Generator<[name: string, value: string]> {
  let index = 0;
  // The end of the last line's text; `newline` tells whether one followed.
  let end = 0;
  let newline = false;
  const next = (): string | undefined => {
    if (index >= text.length) return undefined;
    const start = index;
    const feed = text.indexOf('\n', start);
    newline = feed >= 0;
    end = newline ? feed : text.length;
    index = newline ? feed + 1 : text.length;
    if (crlf && newline && end > start && text[end - 1] === '\r') end -= 1;
    return text.slice(start, end);
  };

  for (let line = next(); line !== undefined; line = next()) {
    if (line === '') continue;
    const equals = line.indexOf('=');
    const heredoc = line.indexOf('<<');
    if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
      if (equals === 0) throw new Error(`Invalid format '${line}'. Name must not be empty`);
      yield [line.slice(0, equals), line.slice(equals + 1)];
    } else if (heredoc >= 0) {
      const name = line.slice(0, heredoc);
      const delimiter = line.slice(heredoc + 2);
      if (name === '' || delimiter === '') {
        throw new Error(`Invalid format '${line}'. Name must not be empty and delimiter must not be empty`);
      }
      const start = index;
      let valueEnd = index;
      for (let part = next(); part !== delimiter; part = next()) {
        if (part === undefined) throw new Error(`Invalid value. Matching delimiter not found '${delimiter}'`);
        if (!newline) throw new Error('Invalid value. EOF marker missing new line.');
        valueEnd = end;
      }
      yield [name, text.slice(start, valueEnd)];
    } else {
      throw new Error(`Invalid format '${line}'`);
    }
  }
}
