import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * node test/prune/planted.ts [seed]
 * Plants known faults in copies of src/, one at a time, and shows that the search finds each.
 */

const PLANTED = [
  {
    name: 'protects nothing',
    file: 'src/prune/decide.ts',
    from: 'protect.get(image.ImageId.toLowerCase())',
    to: "new Map([['', '']]).get(image.ImageId)",
  },
  {
    name: 'compares ids by case',
    file: 'src/prune/decide.ts',
    from: 'protect.get(image.ImageId.toLowerCase())',
    to: 'protect.get(image.ImageId)',
  },
  {
    name: 'takes a marker for its own wherever it stands',
    file: 'src/promotion/mark.ts',
    from: '/^\\s*\\[copy of',
    to: '/\\[copy of',
  },
  {
    name: 'takes a marker by anybody for its own',
    file: 'src/promotion/mark.ts',
    from: '((?:\\d{1,40}-\\d{1,20}|local)-[a-z0-9]{6})',
    to: '([^\\s[\\]]{1,64})',
  },
  {
    name: 'believes an unknown image gone though it is listed',
    file: 'src/prune/remove.ts',
    from: 'else tried.denials++;',
    to: "else {\n      item.fate = 'gone';\n      return null;\n    }",
  },
  {
    name: 'counts broken ones as kept',
    file: 'src/prune/decide.ts',
    from: "image.State === 'Available' && createdAt(image, now) !== null",
    to: 'createdAt(image, now) !== null',
  },
  {
    name: 'deletes what it could not read again',
    file: 'src/prune/remove.ts',
    from: 'if (await isStillDue(run, region, item))',
    to: 'if (await isStillDue(run, region, item).catch(() => true))',
  },
  {
    name: 'deletes by the first list',
    file: 'src/prune/remove.ts',
    from: 'if (await isStillDue(run, region, item))',
    to: "if ((await isStillDue(run, region, item)) || item.fate !== 'gone')",
  },
  {
    name: 'takes a list that could not be read for an empty one',
    file: 'src/prune/prune.ts',
    from: 'if (found instanceof CloudError) {',
    to: 'if (found instanceof Error) result.items = [];\n  else if (found instanceof CloudError) {',
  },
  {
    name: 'believes an accepted delete',
    file: 'src/prune/remove.ts',
    from: 'tried.accepted = true;',
    to: "item.fate = 'deleted';",
  },
  {
    name: 'goes on after a cancel',
    file: 'src/prune/prune.ts',
    from: 'const run: Run = { ...context, signal: until.signal,',
    to: 'const run: Run = { ...context, signal: new AbortController().signal,',
  },
];

const RUNS = 2000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 1e9));
// Inside the project, so that its dependencies are found; build/ is ignored.
const folder = `${root}build/planted-prune-${process.pid}`;

let missed = 0;
console.log(`Planting ${PLANTED.length} faults in prune, seed ${seed}.`);
try {
  for (const { name, file, from, to } of PLANTED) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(`${folder}/test`, { recursive: true });
    writeFileSync(`${folder}/package.json`, '{"type":"module"}');
    for (const part of ['src', 'test/prune', 'test/virtual-clock.ts'])
      cpSync(`${root}${part}`, `${folder}/${part}`, { recursive: true });
    const text = readFileSync(`${folder}/${file}`, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold this exactly once: ${from}`);
    writeFileSync(
      `${folder}/${file}`,
      text.replace(from, () => to),
    );
    const args = ['test/prune/chaos.ts', '--runs', String(RUNS), '--seed', String(seed)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    const [, run] = /^Schedule (\d+) breaks a promise/m.exec(stdout) ?? [];
    const [, promise] = /^- (.+)$/m.exec(stdout) ?? [];
    if (status === 1 && run) console.log(`found   ${name}: schedule ${run}: ${promise}`);
    else {
      missed++;
      console.log(`MISSED  ${name}, in ${RUNS} schedules. ${stderr}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(missed === 0 ? 'All were found.' : `${missed} were not found.`);
process.exitCode = missed === 0 ? 0 : 1;
