import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { README, withTable } from '../../scripts/errors-table.ts';

const readme = readFileSync(README, 'utf8');
const root = join(README, '..');

test('the table of errors is the catalogue (npm run readme writes it)', () => {
  expect(readme).toBe(withTable(readme));
});

test('every file that the README links to is there', () => {
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('every npm command in the README is a script, and CI runs it', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const ci = readFileSync(join(root, '.ci/run'), 'utf8');
  const commands = [...readme.matchAll(/npm (?:run ([\w:-]+)|(test))/g)].map(
    ([, script, plain]) => script ?? plain ?? '',
  );
  expect(commands).toContain('test');
  for (const command of new Set(commands)) {
    expect(scripts, command).toHaveProperty([command]);
    expect(ci, command).toMatch(new RegExp(`npm (run (-s )?)?${command}\\b`));
  }
});
