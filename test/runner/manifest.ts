import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export type Status = 'success' | 'failure' | 'cancelled';

export interface Manifest {
  /** Each input with its default as it is written, expressions and all; undefined when it has none. */
  inputs: Map<string, { default: string | undefined; deprecation: string | undefined }>;
  main: string;
  post: string | undefined;
  postIf: string;
}

export function readManifest(folder: string): Manifest {
  const file = ['action.yml', 'action.yaml'].map((name) => join(folder, name)).find(existsSync);
  if (file === undefined) throw new Error(`No action.yml in ${folder}: nothing to run.`);
  // Every scalar stays the text that was written: `default: 2.0` is 2.0 for the runner, not 2.
  const yaml = parse(readFileSync(file, 'utf8'), { schema: 'failsafe' }) as {
    inputs?: Record<string, { default?: string; deprecationMessage?: string } | ''>;
    runs?: Record<string, string | undefined>;
  };
  const runs = yaml.runs ?? {};
  if (runs.using !== 'node24') throw new Error(`${file}: runs.using is '${runs.using}', not node24.`);
  const script = (name: string): string | undefined => {
    const value = runs[name];
    if (value === undefined) return undefined;
    const path = join(folder, value);
    if (!existsSync(path))
      throw new Error(`${file}: runs.${name} names ${path}, which is not there. Build it first.`);
    return path;
  };
  const main = script('main');
  if (main === undefined) throw new Error(`${file}: runs.main is missing.`);
  const inputs = Object.entries(yaml.inputs ?? {}).map(
    ([name, input]) =>
      [
        name,
        input === ''
          ? { default: undefined, deprecation: undefined }
          : { default: input.default, deprecation: input.deprecationMessage },
      ] as const,
  );
  return { inputs: new Map(inputs), main, post: script('post'), postIf: runs['post-if'] ?? 'always()' };
}

/** The text of an input's default; `github.token` is the one expression that is known. */
export function evaluateDefault(text: string, githubToken: string): string {
  return text.replace(/\$\{\{(.*?)\}\}/gs, (whole, expression: string) => {
    if (expression.trim().toLowerCase() === 'github.token') return githubToken;
    throw new Error(`The default ${whole} is not one that this runner can evaluate.`);
  });
}

/** A step's condition, of the status functions, `||`, `&&`, `!` and parentheses. */
export function evaluateCondition(condition: string, job: Status): boolean {
  const text = condition.trim().replace(/^\$\{\{(.*)\}\}$/s, '$1');
  const refuse = (): never => {
    throw new Error(`The condition '${condition}' is not one that this runner can evaluate.`);
  };
  const tokens = text.match(/\|\||&&|!|\(\s*\)|[()]|[A-Za-z]+|\S/g) ?? [];
  let at = 0;
  const accept = (pattern: RegExp): boolean => {
    const fits = pattern.test(tokens[at] ?? '');
    if (fits) at += 1;
    return fits;
  };
  const value = (): boolean => {
    if (accept(/^!$/)) return !value();
    if (accept(/^\($/)) {
      const inner = either();
      return accept(/^\)$/) ? inner : refuse();
    }
    const name = tokens[at++]?.toLowerCase();
    if (!accept(/^\(\s*\)$/)) return refuse();
    if (name === 'always') return true;
    return name === 'success' || name === 'failure' || name === 'cancelled' ? job === name : refuse();
  };
  const both = (): boolean => {
    let all = value();
    while (accept(/^&&$/)) all = value() && all;
    return all;
  };
  const either = (): boolean => {
    let any = both();
    while (accept(/^\|\|$/)) any = both() || any;
    return any;
  };
  const result = either();
  return at === tokens.length ? result : refuse();
}
