import { globSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { read } from './step.ts';

const FOLDERS: Record<string, string> = {
  workflow: 'src',
  promotion: 'src/promotion',
  verify: 'src/verify',
  prune: 'src/prune',
  cloud: 'src/cloud',
};
/** Holds one number. */
const LEFT_OUT = 'src/version.ts';

const picture = /```mermaid\n([\s\S]*?)```/.exec(read('docs/architecture.md'))?.[1] ?? '';

/** The files of each box. */
const boxes = new Map(
  picture.split(/^ {2}subgraph /m).flatMap((part) => {
    const folder = FOLDERS[/^\w+/.exec(part)?.[0] ?? ''];
    return [...part.matchAll(/^ {4}(\w+)\["(.*?)<br>/gm)].map(
      ([, box = '', files = '']): [string, string[]] => [
        box,
        files.match(/[\w/-]+\.ts/g)?.map((file) => `${folder}/${file}`) ?? [],
      ],
    );
  }),
);

/** From box to box; `a & b --> c --> d` are three. */
const arrows = [...picture.matchAll(/^ {2}(\w.*--.*)$/gm)].flatMap(([, line = '']) => {
  const ends = line.split(/ --(?: \w+ --)?> /).map((end) => end.split(' & '));
  return ends
    .slice(1)
    .flatMap((to, index) =>
      (ends[index] ?? []).flatMap((from) => to.map((end): [string, string] => [from, end])),
    );
});

const imports = (file: string) =>
  [...read(file).matchAll(/'(\.[^']*\.ts)'/g)].map(([, path = '']) => posix.join(posix.dirname(file), path));

describe('the picture of the architecture', () => {
  it('shows every file of src/, each once', () => {
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const files = globSync('src/**/*.ts', { cwd }).map((file) => file.replaceAll('\\', '/'));
    expect(files).toContain(LEFT_OUT);
    expect([...boxes.values()].flat().sort()).toEqual(files.filter((file) => file !== LEFT_OUT).sort());
  });

  it.each(arrows.filter(([, to]) => to !== 'api'))(
    'has an arrow from %s to %s, and so has the code',
    (from, to) => {
      expect(boxes.get(from)?.flatMap(imports)).toEqual(
        expect.arrayContaining([expect.toBeOneOf(boxes.get(to) ?? [])]),
      );
    },
  );

  it('has arrows from every box but those at the end', () => {
    const starts = new Set(arrows.map(([from]) => from));
    expect([...boxes.keys()].filter((box) => !starts.has(box))).toEqual([
      'spelling',
      'state',
      'text',
      'errors',
    ]);
  });
});
