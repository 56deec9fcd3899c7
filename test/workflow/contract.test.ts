import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { starter } from '../../scripts/build.ts';
import { readInputs } from '../../src/inputs/promote.ts';
import { outputsOf } from '../../src/outputs.ts';
import { VERSION } from '../../src/version.ts';
import { aPromotion } from '../words/promotions.ts';
import { inputs, read } from './step.ts';

const action = parse(read('action.yml')) as {
  inputs: Record<string, { description: string; default?: string; required?: boolean }>;
  outputs: Record<string, { description: string }>;
};
const readme = read('README.md');
const { version } = JSON.parse(read('package.json'));

/** The rows of all tables under that head, without their code marks. */
function table(...head: string[]): string[][] {
  const cells = (line: string) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.replaceAll('`', '').trim());
  const tables = readme
    .split(/\n(?!\|)/)
    .map((part) => part.split('\n').filter((line) => line.startsWith('|')));
  const rows = tables.filter(([first = '']) => cells(first).join('|') === head.join('|'));
  if (rows.length === 0) throw new Error(`README.md has no table | ${head.join(' | ')} |`);
  return rows.flatMap((lines) => lines.slice(2).map(cells));
}

/** What readInputs asks for when nothing is given: each input, with its environment variable where it has one. */
const asked = new Map<string, string | null>();
let last = '';
readInputs(
  new Proxy(
    {},
    {
      get(_, name) {
        const [, input] = /^INPUT_(.+)$/.exec(String(name)) ?? [];
        if (input === undefined) {
          // The proxies' variables and the runner's are asked for as well.
          if (String(name).startsWith('UCLOUD_')) asked.set(last, String(name));
        } else {
          last = input.toLowerCase();
          if (!asked.has(last)) asked.set(last, null);
        }
        return undefined;
      },
    },
  ),
);

const defaults = new Map(Object.entries(action.inputs).map(([name, input]) => [name, input.default]));

describe('the inputs', () => {
  it('are the same in action.yml, README.md and the code', () => {
    const names = Object.keys(action.inputs);
    expect([...asked.keys()].sort()).toEqual([...names].sort());
    const told = table('input', 'default', 'meaning').flatMap(([cell = '']) => cell.split(', '));
    expect(told.sort()).toEqual([...names].sort());
  });

  it.each([...asked])(
    '%s: its environment variable (%s) is named in action.yml and README.md',
    (name, variable) => {
      const row = table('input', 'default', 'meaning').find(([cell]) => cell?.split(', ').includes(name));
      const told = [action.inputs[name]?.description ?? '', row?.[1] ?? ''];
      for (const text of told)
        expect(text.match(/UCLOUD_[A-Z_]+/g) ?? []).toEqual(variable === null ? [] : [variable]);
    },
  );

  it.each([...defaults])('%s: its default (%s) is the same in action.yml and README.md', (name, value) => {
    const row = table('input', 'default', 'meaning').find(([cell]) => cell?.split(', ').includes(name));
    const cell = row?.[1] ?? '';
    if (value !== undefined) expect(cell).toBe(value);
    // The default of another kind is words: none that looks like a value of the input.
    else expect(cell).toMatch(/^(?:$|env |the |adaptive$)/);
  });

  it('have the same defaults in the code: those of action.yml change nothing', () => {
    const least = {
      'public-key': 'public',
      'private-key': 'private',
      region: 'hk',
      'source-image-id': 'uimage-1',
      'target-project-id': 'org-1',
      'target-regions': 'sg',
    };
    const given = Object.fromEntries(
      [...defaults].flatMap(([name, value]) =>
        value === undefined || value.includes('{{') ? [] : [[name, value]],
      ),
    );
    expect(Object.keys(given).length).toBeGreaterThan(5);
    const without = readInputs(inputs(least)).inputs;
    const withDefaults = readInputs(inputs({ ...least, ...given })).inputs;
    const run = 'the same';
    expect({ ...withDefaults, order: { ...withDefaults?.order, run } }).toEqual({
      ...without,
      order: { ...without?.order, run },
    });
  });

  it('have their default API in all three', () => {
    const least = {
      'public-key': 'a',
      'private-key': 'b',
      region: 'hk',
      'source-image-id': 'u',
      'target-project-id': 'p',
      'target-regions': 'sg',
    };
    const url = readInputs(inputs(least)).inputs?.connection.url ?? 'none';
    expect(action.inputs['api-url']?.description).toContain(url);
    expect(table('input', 'default', 'meaning').find(([name]) => name === 'api-url')?.[1]).toContain(url);
  });

  it('each say what they are; those that have no other source are required, in all three', () => {
    const { mistakes } = readInputs({});
    for (const [name, { description, required }] of Object.entries(action.inputs)) {
      expect(description.length, name).toBeGreaterThan(20);
      const row = table('input', 'default', 'meaning').find(([cell]) => cell?.split(', ').includes(name));
      expect(row?.[2]?.startsWith('**Required.**'), name).toBe(required === true);
      if (required) expect(mistakes.join('\n')).toContain(`${name} is missing. `);
    }
  });
});

describe('the outputs', () => {
  it('are the same in action.yml, README.md and the code', () => {
    const names = Object.keys(action.outputs);
    expect(Object.keys(outputsOf(aPromotion()))).toEqual(names);
    expect(table('output', 'value').flatMap(([cell = '']) => cell.split(', '))).toEqual(names);
  });

  it('tell the fields of an image as they are', () => {
    const [image] = JSON.parse(outputsOf(aPromotion()).images ?? 'none');
    const fields = `{${Object.keys(image).join(', ')}}`;
    expect(action.outputs.images?.description).toContain(fields);
    expect(table('output', 'value').find(([name]) => name === 'images')?.[1]).toContain(fields);
  });
});

type Given = { with: Record<string, string>; secrets: Record<string, string> };
type Declared = Record<string, { default?: unknown; required?: boolean }>;

describe.each([
  ['promote.yml', ['images', 'target-project-ids', 'max-parallel', 'runs-on', 'environment']],
  ['promote-one.yml', ['runs-on', 'environment', 'action-repository', 'action-ref']],
])('%s', (file, own) => {
  const source = read(`.github/workflows/${file}`);
  const { on, jobs } = parse(source) as {
    on: { workflow_call: { inputs: Declared; secrets: Declared; outputs: Record<string, unknown> } };
    jobs: { promote: { steps: (Partial<Given> & { id?: string })[] } };
  };
  const { inputs: takes, secrets } = on.workflow_call;
  const passed = jobs.promote.steps.find(({ id }) => id === 'promote')?.with ?? {};

  it('passes on nothing that the action does not take, and all that it takes itself', () => {
    expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(Object.keys(passed)));
    const used = Object.values(passed).flatMap((value) => [...value.matchAll(/(inputs|secrets)\.([\w-]+)/g)]);
    const names = used.map(([, kind, name]) => `${kind}.${name}`);
    const taken = Object.keys(takes).filter((name) => !own.includes(name));
    const keys = Object.keys(secrets).filter((name) => name !== 'action-token');
    expect([...new Set(names)].sort()).toEqual(
      [...taken.map((name) => `inputs.${name}`), ...keys.map((name) => `secrets.${name}`)].sort(),
    );
  });

  it('passes on every input of the action but those that one promotion alone can have', () => {
    const left = Object.keys(action.inputs).filter((name) => !(name in passed) && name !== 'output-file');
    expect(left).toEqual(['packer-manifest', 'wait', 'poll-interval', 'release-tag', 'github-token']);
  });

  const stated = Object.entries(takes).filter(
    ([name, { default: value }]) => name in action.inputs && value !== undefined && value !== '',
  );
  it.each(stated.map(([name, { default: value }]) => [name, String(value)]))(
    '%s: its default (%s) is that of the action',
    (name, value) => {
      expect(value).toBe(action.inputs[name]?.default);
    },
  );
  it('states some defaults', () => {
    expect(stated.length).toBeGreaterThan(2);
  });

  const recipes: [string, string | undefined][] = [
    [
      'docs/recipes.md',
      read('docs/recipes.md')
        .split(/```(?:yaml)?\n/)
        .find((block) => block.includes(`/${file}@`)),
    ],
    ['its first lines', /^(?:# {3}.*\n)+/m.exec(source)?.[0].replaceAll(/^# {3}/gm, '')],
  ];
  it.each(recipes.filter(([where, recipe]) => recipe || where !== 'docs/recipes.md'))(
    'is given what it takes by the recipe in %s',
    (_, recipe = '') => {
      const [given] = Object.values((parse(recipe) as { jobs: Record<string, Given> }).jobs);
      for (const [part, declared] of [
        ['with', takes],
        ['secrets', secrets],
      ] as const) {
        const names = Object.keys(given?.[part] ?? {});
        const required = Object.keys(declared).filter((name) => declared[name]?.required);
        expect(names).toEqual(expect.arrayContaining(required));
        expect(Object.keys(declared)).toEqual(expect.arrayContaining(names));
      }
    },
  );
});

it('the version is the one of package.json', () => {
  expect(VERSION).toBe(version);
});

it('package.json says where the project is, and the Node that it truly needs', () => {
  const { repository, keywords, engines, devDependencies } = JSON.parse(read('package.json'));
  expect(repository.url).toMatch(/^git\+https:.*\/copy-custom-image\.git$/);
  expect(keywords).toContain('custom-image');
  const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(engines.node) ?? [];
  expect(starter('index')).toContain(`major > ${major} || (major === ${major} && minor >= ${minor})`);
  expect(read('.node-version').trim()).toBe(devDependencies.node.split('.')[0]);
});

it('every package is pinned by its hash: npm ci takes nothing else for it', () => {
  const { packages } = JSON.parse(read('package-lock.json'));
  const names = Object.keys(packages).filter((name) => name !== '');
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !packages[name].integrity)).toEqual([]);
});
