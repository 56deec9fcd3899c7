import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { imagesOfFile } from '../../src/inputs/images-file.ts';
import { readPruneInputs } from '../../src/inputs/prune.ts';
import { readVerifyInputs } from '../../src/inputs/verify.ts';
import { pruneOutputs } from '../../src/prune/page.ts';
import { verifyOutputs } from '../../src/verify/page.ts';
import { inputs, read } from './step.ts';

interface Manifest {
  inputs: Record<string, { description: string; default?: string; required?: boolean }>;
  outputs: Record<string, { description: string }>;
}

const root = parse(read('action.yml')) as Manifest;
const ended = { ended: 'complete' as const, problems: [] };

const COMPANIONS = [
  {
    name: 'verify',
    readInputs: readVerifyInputs,
    outputs: verifyOutputs({ ...ended, status: 'incomplete', source: null, targets: [], extra: [] }, ''),
    least: {
      region: 'cn-bj2',
      'source-image-id': 'uimage-1',
      'target-project-id': 'org-1',
      'target-regions': 'hk',
    },
  },
  {
    name: 'prune',
    readInputs: readPruneInputs,
    outputs: pruneOutputs({ ...ended, regions: [], dryRun: true }, ''),
    least: { 'project-id': 'org-1', regions: 'hk', name: 'web-*', keep: '3' },
  },
];

/** The cells of the tables of one chapter, by their first one. */
function rows(chapter: string): Map<string, string[]> {
  const text =
    read('docs/companions.md')
      .split(/^## /m)
      .find((part) => part.startsWith(`${chapter}:`)) ?? '';
  const lines = text.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    lines.map((line) => {
      const cells = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim());
      return [cells[0] ?? '', cells];
    }),
  );
}

describe.each(COMPANIONS)('$name', ({ name, readInputs, outputs, least }) => {
  const manifest = parse(read(`${name}/action.yml`)) as Manifest;
  const names = Object.keys(manifest.inputs);
  const documented = rows(name);

  /** What the code asks for when nothing is given, and the variables that stand in. */
  const asked = new Map<string, string | null>();
  let last = '';
  readInputs(
    new Proxy(
      {},
      {
        get(_, variable) {
          const [, input] = /^INPUT_(.+)$/.exec(String(variable)) ?? [];
          if (input !== undefined) last = input.toLowerCase();
          if (input !== undefined && !asked.has(last)) asked.set(last, null);
          if (String(variable).startsWith('UCLOUD_')) asked.set(last, String(variable));
          return undefined;
        },
      },
    ),
  );

  it('has the same inputs and outputs in action.yml, docs/companions.md and the code', () => {
    expect([...asked.keys()].sort()).toEqual([...names].sort());
    expect(Object.keys(outputs)).toEqual(Object.keys(manifest.outputs));
    const all = [...names, ...Object.keys(manifest.outputs)];
    expect([...documented.keys()].filter((key) => all.includes(key))).toEqual(all);
  });

  it('names environment variables and defaults alike in all three', () => {
    for (const [input, { description, default: value }] of Object.entries(manifest.inputs)) {
      const variable = asked.get(input);
      const cell = documented.get(input)?.[1] ?? '';
      for (const text of [description, cell])
        expect(text.match(/UCLOUD_[A-Z_]+/g) ?? [], input).toEqual(variable ? [variable] : []);
      if (value !== undefined) expect(cell, input).toBe(value);
    }
    const keys = { 'public-key': 'public', 'private-key': 'private' };
    const given = Object.entries(manifest.inputs).flatMap(([input, { default: value }]) =>
      value === undefined || value.includes('{{') ? [] : [[input, value]],
    );
    expect(given.length).toBeGreaterThan(3);
    const read = readInputs(inputs({ ...keys, ...least }));
    expect(read.mistakes).toEqual([]);
    expect(readInputs(inputs({ ...keys, ...least, ...Object.fromEntries(given) }))).toEqual(read);
  });

  it('describes what it shares with the promotion in the same words', () => {
    const own = ['project-id', 'source-image-id', 'source-image-name', 'github-token', 'timeout'];
    const connection = names.slice(0, names.indexOf('channel-key') + 1);
    expect(connection.length).toBeGreaterThan(6);
    for (const input of connection.filter((each) => !own.includes(each)))
      expect(manifest.inputs[input], input).toEqual(root.inputs[input]);
  });
});

describe('the inputs of prune', () => {
  const least = {
    'public-key': 'a',
    'private-key': 'b',
    'project-id': 'org-1',
    regions: 'hk',
    name: 'web-*',
    keep: '3',
  };
  const protectedBy = (protect: string) => {
    const { mistakes, inputs: read } = readPruneInputs(inputs({ ...least, protect }));
    return read ? [...read.order.rules.protect.keys()] : mistakes;
  };

  it.each([
    ['lines and commas', 'uimage-1, uimage-2\nuimage-3', ['uimage-1', 'uimage-2', 'uimage-3']],
    ['an array', '["uimage-1","uimage-1"]', ['uimage-1']],
    ['image-ids', '{"hk":"uimage-1","sg":"uimage-2"}', ['uimage-1', 'uimage-2']],
    ['kept-image-ids', '{"hk":["uimage-1","uimage-2"],"sg":[]}', ['uimage-1', 'uimage-2']],
    ['images', '[{"region":"hk","imageId":"uimage-1"},{"region":"sg","imageId":null}]', ['uimage-1']],
    ['a key that is repeated', '{"hk":"uimage-1","hk":["uimage-2"],"hk":[]}', ['uimage-1', 'uimage-2']],
    ['an entry with two ids', '[{"imageId":"uimage-1","imageId":"uimage-2"}]', ['uimage-1', 'uimage-2']],
    ['any case', 'UIMAGE-1, uimage-1', ['uimage-1']],
    ['any case in JSON', '["UImage-1"]', ['uimage-1']],
    ['nothing', ' ', []],
  ])('take %s for protect', (_, text, ids) => {
    expect(protectedBy(text)).toEqual(ids);
  });

  it.each([
    '{"hk":',
    '{"hk":7}',
    '["uimage 1"]',
    'uimage-1; uimage-2',
    '{"hk":{"imageId":false}}',
    'null',
    '["null"]',
  ])('pass over nothing in protect: %s', (text) => {
    expect(protectedBy(text)).toEqual([
      expect.stringMatching(
        /^protect: .* not (a list of )?(an )?image ids?\b.*: uimage-abc123 or \{"hk":"uimage-abc123"\}\.$/,
      ),
    ]);
  });

  it.each(['{}', '[]', '""'])('take protect for a mistake that names no image: %s', (protect) => {
    expect(protectedBy(protect)).toEqual([expect.stringMatching(/^protect:? /)]);
    expect(protectedBy('')).toEqual([]);
  });

  it.each(['protected', 'protect-ids', 'protect_images', 'Protect-Images'])('see %s for protect', (name) => {
    expect(readPruneInputs(inputs({ ...least, [name]: 'uimage-1' })).mistakes).toEqual([
      `protect: ${JSON.stringify(name.toLowerCase())} is not an input of this action. Write it as protect.`,
    ]);
  });

  it.each([
    ['12M', /^min-age: "12M" may mean minutes or months\. Write it as 12h, 7d or 30d\.$/],
    ['7', /^min-age: "7" has no unit\. Add a unit: 7h or 7d\.$/],
    ['1 week', /^min-age: "week" in "1 week" is not a unit of time\. Write it as 12h, 7d or 30d\.$/],
  ])('lead nobody to a min-age of minutes: %s', (text, meant) => {
    const { mistakes } = readPruneInputs(inputs({ ...least, 'min-age': text }));
    expect(mistakes).toEqual([expect.stringMatching(meant)]);
  });

  it.each(['web-*\napi-*', 'web-*, api-*', '["web-*"]'])(
    'take one glob for name, and no list: %j',
    (name) => {
      expect(readPruneInputs(inputs({ ...least, name })).mistakes).toEqual([
        expect.stringMatching(/^name: .* is no name, nor one glob/),
      ]);
    },
  );

  it('tell every mistake at once, and take the project from no variable', () => {
    const env = inputs({
      ...least,
      'project-id': '',
      keep: '-1',
      name: '^web-.*$',
      'protect-releases': 'all',
    });
    expect(readPruneInputs({ ...env, UCLOUD_PROJECT_ID: 'org-build' }).mistakes).toEqual([
      'project-id is missing. Give the project whose copies to prune, for example org-abc123.',
      'name: "^web-.*$" looks like a regular expression. It takes a glob: * for any text and ? for one character, such as web-*.',
      'keep: "-1" is not a whole number of 1 or more.',
      'protect-releases: "all" is not a whole number of 1 or more.',
      'github-token is empty, and protect-releases needs it. Leave it out to use the token of the job.',
    ]);
  });
});

describe('images-file', () => {
  it.each([
    ['no JSON', '{', /is not JSON/],
    [
      'another schema',
      '{"schema":2,"images":[]}',
      /has the schema 2; this version of the action knows schema 1/,
    ],
    ['no list', '{"schema":1}', /has no list "images"/],
    ['an empty list', '[]', /names no image/],
    ['an entry without a region', '[{"imageId":"uimage-1","projectId":"org-1"}]', /in entry 1 of its images/],
  ])('%s', (_, text, mistake) => {
    expect(imagesOfFile(text).mistake).toMatch(mistake);
  });

  it('expects no image where the copy has failed; of the first version it is the list alone', () => {
    const images = [
      { region: 'hk', projectId: 'org-1', imageId: 'uimage-1', name: 'web', outcome: 'copied' },
      { region: 'sg', projectId: 'org-1', imageId: 'uimage-2', name: 'web', outcome: 'failed' },
    ];
    const expected = [
      { region: 'hk', projectId: 'org-1', imageId: 'uimage-1', name: 'web' },
      { region: 'sg', projectId: 'org-1', imageId: null, name: 'web' },
    ];
    expect(imagesOfFile(JSON.stringify(images)).value).toEqual({ source: null, images: expected });
    const source = { region: 'cn-bj2', projectId: 'org-0', imageId: 'uimage-0' };
    expect(imagesOfFile(JSON.stringify({ schema: 1, source, images })).value).toEqual({
      source,
      images: expected,
    });
  });

  it('expects the copy that was still under way when its promotion ran out of time', () => {
    const entry = (state: string) => ({
      region: 'hk',
      projectId: 'org-1',
      imageId: 'uimage-1',
      outcome: 'failed',
      state,
    });
    const expected = ['Copying', 'Making', 'Unavailable', 'Deleted'].map(
      (state) => imagesOfFile(JSON.stringify([entry(state)])).value?.images[0]?.imageId,
    );
    expect(expected).toEqual(['uimage-1', 'uimage-1', null, null]);
  });

  it('names each image once, and its source by a target that is the source itself', () => {
    const images = [
      { region: 'cn-bj2', projectId: 'org-0', imageId: 'uimage-0', outcome: 'source' },
      { region: 'hk', projectId: 'org-0', imageId: 'uimage-1', outcome: 'copied' },
    ];
    const { value } = imagesOfFile(JSON.stringify([...images, images[1]]));
    expect(value?.images.map(({ region }) => region)).toEqual(['cn-bj2', 'hk']);
    expect(value?.source).toEqual({ region: 'cn-bj2', projectId: 'org-0', imageId: 'uimage-0' });
  });

  it('excludes a source, and must agree with the target project and name', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'images-')), 'images.json');
    onTestFinished(() => rmSync(dirname(path), { recursive: true }));
    writeFileSync(path, '[{"region":"hk","projectId":"org-1","imageId":"uimage-1","name":"web-1"}]');
    const given = {
      'public-key': 'a',
      'private-key': 'b',
      'images-file': path,
      'source-image-id': 'uimage-0',
      'target-project-id': 'org-2',
      'target-image-name': 'web-2',
    };
    expect(readVerifyInputs(inputs(given)).mistakes).toEqual([
      'images-file: Set images-file or source-image-id, not both.',
      'images-file names project org-1 for hk, but target-project-id is org-2.',
      'images-file names "web-1" for hk, but target-image-name is web-2.',
    ]);
    const two = ['uimage-1', 'uimage-2'].map((imageId) => ({ region: 'hk', projectId: 'org-2', imageId }));
    writeFileSync(path, JSON.stringify(two));
    expect(readVerifyInputs(inputs(given)).mistakes[1]).toMatch(/^images-file names hk twice/);
    expect(readVerifyInputs(inputs({ ...given, 'images-file': 'nowhere.json' })).mistakes[1]).toMatch(
      /^images-file: "nowhere.json" cannot be read \(ENOENT\)/,
    );
  });
});
