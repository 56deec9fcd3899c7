import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * node test/chaos/planted.ts [seed] [words of a name]
 * Plants known faults in copies of src/, one at a time, and shows that the search finds each.
 */

interface Planted {
  name: string;
  /** Each text stands in exactly one file of src/promotion, src/cloud or src/, exactly once. */
  edits: [from: string, to: string][];
}

const PLANTED: Planted[] = [
  {
    name: 're-sending a copy after 110',
    edits: [
      [
        "    { ...UNSURE, blames: 'account' },\n    {\n      '110': ['the gateway gave up on the API after 60 seconds', LATER],",
        "    { ...UNSURE, copy: 'retry', blames: 'account' },\n    { '110': ['the gateway gave up', LATER] },\n  ],\n  [\n    { ...UNSURE, blames: 'account' },\n    {",
      ],
    ],
  },
  {
    name: 'adopting by name alone',
    edits: [
      [
        'isMarkOf(mark, order.source.region, source.ImageId);\n  const known',
        '(isMarkOf(mark, order.source.region, source.ImageId) || source.ImageId !== "");\n  const known',
      ],
    ],
  },
  {
    name: 'treating an empty list while polling as failure',
    edits: [
      [
        'if (unseenFor < WINDOW) return;',
        'if (unseenFor >= 0) return settle(run, place, held, words.gone(held));',
      ],
    ],
  },
  {
    name: 'deleting an adopted image',
    edits: [['created && imageId !== null ?', 'imageId !== null || created ?']],
  },
  {
    name: 'reporting success before verification',
    edits: [
      [
        'settle(run, place, held, differences(run.findings.source, image));',
        'settle(run, place, held, null);',
      ],
    ],
  },
  {
    name: 'an older image without a mark is taken for the copy',
    edits: [
      [
        'findings.source.CreateTime && isOlderThan(image, sentAt)',
        'findings.source.CreateTime && sentAt < 0',
      ],
    ],
  },
  {
    name: 'swapped ids are left as they were answered',
    edits: [
      ['  if (created) own(run, place, image.ImageId, before);\n', ''],
      [
        'if (image !== best) own(run, place, image.ImageId, held);',
        'if (image === best) own(run, place, image.ImageId, held);',
      ],
    ],
  },
  { name: 'again after 20 s', edits: [['const WINDOW = 120_000;', 'const WINDOW = 20_000;']] },
  {
    name: 'deletes though the kept one is broken',
    edits: [
      ['if (kept && !isOpen(place) && !place.problem) unite(', 'if (kept && !isOpen(place)) unite('],
      ['soundOf(findings.source, withoutCopiedMarks(pool, clock.now(), known))', 'pool'],
    ],
  },
  {
    name: 'the younger twin is kept',
    edits: [['(a.CreateTime ?? 0) - (b.CreateTime ?? 0)', '(b.CreateTime ?? 0) - (a.CreateTime ?? 0)']],
  },
  {
    name: "a batch's refusal is believed of every region",
    edits: [["if (error.blames === 'target') {", "if (error.blames === 'target' && place.sends < 0) {"]],
  },
  {
    name: 'a batch that was refused is sent again without a look',
    edits: [['if (answer.mayHaveRun) beginDoubt(', 'if (answer.mayHaveRun && !answer.inPart) beginDoubt(']],
  },
  {
    name: 'one odd answer ends a watched copy',
    edits: [
      ['(persist && !decisive)', '(false && persist)'],
      ['held.readAt = now;\n    else if (error.decisive) {', 'held.readAt = now;\n    else if (error) {'],
    ],
  },
  {
    name: 'an unmarked newcomer is handed out',
    edits: [
      [
        'place.unclear = true;\n    place.problem = words.stranger(place, strangers, answer);',
        'if (strangers[0]) hold(run, place, strangers[0], true);',
      ],
    ],
  },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: both are source text
  { name: 'the mark comes last', edits: [['`${ours} ${kept}`.trimEnd()', '`${text} ${ours}`.trimStart()']] },
  {
    name: 'names are compared by case',
    edits: [['name?.toLowerCase() === other?.toLowerCase()', 'name === other']],
  },
  {
    name: 'an accepted delete is believed',
    edits: [['if (wasThere) this.accepted.set(key, image);', 'if (wasThere) this.deleted.push(image);']],
  },
  {
    name: 'a rollback reads no description',
    edits: [
      ['const whose = shown.map((one) => this.whose(one, image.projectId));', 'const whose: string[] = [];'],
    ],
  },
  {
    name: 'a list with a row that cannot be read is believed',
    edits: [
      ['return id(record(row)?.ImageId) !== undefined;', 'return row !== undefined;'],
      [
        'return { images, changed: changed || missing > 0, missing };',
        'return { images, changed, missing: 0 };',
      ],
    ],
  },
  {
    name: 'an answered image without a mark is handed out beside one that has it',
    edits: [['if (unmarked.length > 0) {', 'if (unmarked.length > 99) {']],
  },
  {
    name: 'of two ids for a region one is taken',
    edits: [['if (ids.length > 1) return unclear', 'if (ids.length > 9) return unclear']],
  },
  {
    name: 'a copy is not looked at again when all else is done',
    edits: [["if ((plan === 'copy' || place.doubt) && order.wait", 'if (place.doubt && order.wait']],
  },
  {
    name: 'what this run made and nobody has listed is told nowhere',
    edits: [
      [
        'own.filter((id) => id !== held.imageId && !isTold(id))',
        "own.filter((id) => id === '' && !isTold(id))",
      ],
    ],
  },
  {
    name: 'what was adopted is not read again',
    edits: [
      [
        "if (held && held.readAt < closing && plan === 'adopt'",
        "if (held && held.readAt < closing && plan === 'source'",
      ],
    ],
  },
  {
    name: 'the oldest is adopted, sound or not',
    edits: [['return sound.find(isAvailable) ?? sound[0];', 'return copies[0] ?? sound.find(isAvailable);']],
  },
];

const SCHEDULES = 10_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 1e9));
const wanted = process.argv[3] ?? '';
// Inside the project, so that its dependencies are found; build/ is ignored.
const folder = `${root}build/planted-${process.pid}`;

function plant({ name, edits }: Planted): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/test`, { recursive: true });
  writeFileSync(`${folder}/package.json`, '{"type":"module"}');
  cpSync(`${root}src`, `${folder}/src`, { recursive: true });
  cpSync(`${root}test/chaos`, `${folder}/test/chaos`, { recursive: true });
  cpSync(`${root}test/virtual-clock.ts`, `${folder}/test/virtual-clock.ts`);
  for (const [from, to] of edits) {
    const files = globSync('src/**/*.ts', { cwd: folder }).map((file) => `${folder}/${file}`);
    const holding = files.filter((file) => readFileSync(file, 'utf8').includes(from));
    const [file = ''] = holding;
    const text = holding.length === 1 ? readFileSync(file, 'utf8') : '';
    if (text.split(from).length !== 2)
      throw new Error(`${name}: the text to plant in is not in exactly one place of src/: ${from}`);
    writeFileSync(
      file,
      text.replace(from, () => to),
    );
  }
}

const faults = PLANTED.filter(({ name }) => name.includes(wanted));
let missed = 0;
console.log(`Planting ${faults.length} faults, seed ${seed}.`);
try {
  for (const planted of faults) {
    plant(planted);
    const args = [
      'test/chaos/run.ts',
      '--schedules',
      String(SCHEDULES),
      '--seed',
      String(seed),
      '--shrinking',
      '0',
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    const [, foundSeed, run] = /^Seed (\d+): schedule (\d+) breaks a promise/m.exec(stdout) ?? [];
    const promises = new Set([...stdout.matchAll(/^- (.+)$/gm)].map(([, promise]) => promise));
    if (status === 1 && run) {
      console.log(
        `found   ${planted.name}: seed ${foundSeed}, schedule ${run}: ${[...promises].slice(0, 3).join('; ')}`,
      );
    } else {
      missed++;
      console.log(`MISSED  ${planted.name}, in ${SCHEDULES} schedules. ${stderr}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(missed === 0 ? 'All were found.' : `${missed} were not found.`);
process.exitCode = missed === 0 ? 0 : 1;
