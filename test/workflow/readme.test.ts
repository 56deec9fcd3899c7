import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { errorsPage, PAGE } from '../../scripts/errors-page.ts';
import { VERSION } from '../../src/version.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const readme = read('README.md');
const pages = globSync(['*.md', 'docs/*.md'], { cwd: root });

/** What is read as words: no code, no comment, no address. */
const wordsOf = (markdown: string) =>
  markdown
    .replace(/```[\s\S]*?```|<!--[\s\S]*?-->|\]\([^)]*\)/g, ' ')
    .split(/[\s|]+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));

test('the README has at most 1,600 words outside code, and answers the first questions within 900', () => {
  expect(wordsOf(readme).length).toBeLessThanOrEqual(1600);
  for (const answer of [
    'Runner**: 2.327.1',
    'may call DescribeImage',
    '**Cost**',
    '**Re-run the job',
    'pin the full commit SHA',
    'the console shows image ids',
    'Forgejo and Gitea',
    'docs/errors.md#retcode-',
  ]) {
    expect(readme, answer).toContain(answer);
    expect(wordsOf(readme.slice(0, readme.indexOf(answer))).length, answer).toBeLessThanOrEqual(900);
  }
});

test('docs/errors.md is the catalogue (npm run errors writes it)', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(errorsPage());
});

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

test('every link to a file or a heading leads there', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
      ([link, path = '', anchor]) => {
        const target = path === '' ? page : relative(root, resolve(root, dirname(page), path));
        if (!existsSync(join(root, target))) return [`${page}: ${link}`];
        if (anchor === undefined || !target.endsWith('.md')) return [];
        const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => anchorOf(text));
        return headings.includes(anchor) ? [] : [`${page}: ${link}`];
      },
    ),
  );
  expect(broken).toEqual([]);
});

test('every file that a page names is there', () => {
  const named = pages.flatMap((page) =>
    [...read(page).matchAll(/`((?:src|test|scripts|docs|\.ci)\/[\w./-]+\.\w+)`/g)].map(([, file = '']) => [
      page,
      file,
    ]),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter(([, file = '']) => !existsSync(join(root, file)))).toEqual([]);
});

test('every recipe is run, with act or by the test that it names', () => {
  const recipes = `${readme}${read('docs/recipes.md')}`;
  const marker = /^<!-- recipe(?: of (\S+))?: (\w+) -->\n/;
  for (const block of recipes.match(/^(?:<!--.*-->\n)?```\w+$/gm) ?? []) expect(block).toMatch(marker);
  for (const section of read('docs/recipes.md').split(/^## /m).slice(1)) expect(section).toContain('```');
  const byTest = [...recipes.matchAll(new RegExp(marker, 'gm'))].filter(([, file]) => file);
  expect(byTest).not.toEqual([]);
  for (const [, file = '', name] of byTest) expect(read(file)).toContain(`: ${name} -->`);
});

test('the quick start pins the version that it describes', () => {
  expect(/## Quick start[\s\S]*?copy-custom-image@(\S+)/.exec(readme)?.[1]).toBe(`v${VERSION}`);
});

test('every npm command in the README is a script, and CI runs it', () => {
  const { scripts } = JSON.parse(read('package.json'));
  const ci = read('.ci/run');
  const commands = [...readme.matchAll(/npm (?:run ([\w:-]+)|(test))/g)].map(
    ([, script, plain]) => script ?? plain ?? '',
  );
  expect(commands).toContain('test');
  for (const command of new Set(commands)) expect(scripts, command).toHaveProperty([command]);
  for (const command of ['demo', 'test'])
    expect(ci, command).toMatch(new RegExp(`npm (run (-s )?)?${command}\\b`));
});
