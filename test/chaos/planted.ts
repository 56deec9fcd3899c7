import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * node test/chaos/planted.ts [seed]
 * Plants known faults in copies of src/, one at a time, and shows that the search finds each.
 */

interface Planted {
  name: string;
  file: string;
  from: string;
  to: string;
}

const PLANTED: Planted[] = [
  {
    name: 're-sending a copy after 110',
    file: 'src/cloud/return-codes.ts',
    from: "{ ...UNSURE, blames: 'account' },\n    {\n      '110'",
    to: "{ reads: 'retry', copy: 'retry', blames: 'account' },\n    {\n      '110'",
  },
  {
    name: 'adopting by name alone',
    file: 'src/promotion/plan.ts',
    from: 'return mark?.region === order.source.region && mark.imageId === source.ImageId;',
    to: 'return mark?.region === order.source.region || source.ImageId !== "";',
  },
  {
    name: 'treating an empty list while polling as failure',
    file: 'src/promotion/wait.ts',
    from: '    if (unseenFor < LISTING_WINDOW) continue;\n',
    to: '    if (unseenFor >= 0) settle(watch, copy, gone(copy));\n',
  },
  {
    name: 'deleting an adopted image',
    file: 'src/state.ts',
    from: 'created && imageId !== null ?',
    to: '(created || imageId !== null) && imageId !== null ?',
  },
  {
    name: 'reporting success before verification',
    file: 'src/promotion/wait.ts',
    from: 'const problem = differences(watch.source, image);',
    to: 'const problem = differences(image, image);',
  },
];

const RUNS = 2000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 1e9));
// Inside the project, so that its dependencies are found; build/ is ignored.
const folder = `${root}build/planted-${process.pid}`;

function plant({ file, from, to }: Planted): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/test`, { recursive: true });
  writeFileSync(`${folder}/package.json`, '{"type":"module"}');
  cpSync(`${root}src`, `${folder}/src`, { recursive: true });
  cpSync(`${root}test/chaos`, `${folder}/test/chaos`, { recursive: true });
  cpSync(`${root}test/virtual-clock.ts`, `${folder}/test/virtual-clock.ts`);
  const text = readFileSync(`${folder}/${file}`, 'utf8');
  if (text.split(from).length !== 2)
    throw new Error(`${file} does not hold the text to plant in exactly once: ${from}`);
  writeFileSync(
    `${folder}/${file}`,
    text.replace(from, () => to),
  );
}

let missed = 0;
console.log(`Planting ${PLANTED.length} faults, seed ${seed}.`);
try {
  for (const planted of PLANTED) {
    plant(planted);
    const args = ['test/chaos/run.ts', '--runs', String(RUNS), '--seed', String(seed), '--shrinking', '2000'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    const [, foundSeed, run] = /^Seed (\d+): schedule (\d+) breaks a promise/m.exec(stdout) ?? [];
    const promises = new Set([...stdout.matchAll(/^- (.+)$/gm)].map(([, promise]) => promise));
    if (status === 1 && run) {
      console.log(`found   ${planted.name}: seed ${foundSeed}, schedule ${run}: ${[...promises].join('; ')}`);
    } else {
      missed++;
      console.log(`MISSED  ${planted.name}, in ${RUNS} schedules. ${stderr}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(missed === 0 ? 'All were found.' : `${missed} were not found.`);
process.exitCode = missed === 0 ? 0 : 1;
