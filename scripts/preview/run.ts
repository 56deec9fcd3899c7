import { type Emulator, type EmulatorOptions, startEmulator } from '../../test/emulator/emulator.ts';
import { REGIONS } from '../../test/emulator/regions.ts';
import { Clock } from '../../test/runner/clock.ts';
import { type Options, type Run, startAction } from '../../test/runner/runner.ts';

const THREE = { hk: 4, sg: 6.5, 'us-ca': 10.4 };
const FIVE = { hk: 4, sg: 5.2, 'jpn-tky': 6.5, 'us-ca': 8.4, 'ge-fra': 10.7 };
const MANY = Object.fromEntries(
  [...REGIONS.keys()].slice(0, 33).map((region, at) => [region, 4 + (at % 12)]),
);
const ALL = Object.keys(THREE).join('\n');

interface Situation {
  emulator?: EmulatorOptions;
  /** Minutes that a copy takes. */
  minutes?: Record<string, number>;
  /** What is copied before, in a step of its own. */
  before?: string;
  inputs?: Record<string, string>;
  later?: Options;
  /** Cancelled as soon as so many copies are ready. */
  cancelAt?: number;
}

/** What a page can come to. Times are virtual: minutes of copies take a second. */
export const SITUATIONS = {
  'three regions': {},
  '33 regions, 2 failed': {
    minutes: MANY,
    emulator: {
      byRegion: { sg: { copiesDiffer: { size: 20 } }, 'tw-tp': { finalState: 'Unavailable' } },
    },
  },
  'wrong inputs': {
    inputs: {
      'target-regions': 'hk;sg!',
      rollback: 'maybe',
      timeout: '90',
      wait: 'yes',
      'if-exists': 'always',
      'api-url': 'ftp://api.ucloud.cn',
      'source-image-name': 'web-*',
    },
  },
  'a plan that fails': { inputs: { 'target-regions': 'hkk, sg', 'target-project-id': 'org-nowhere' } },
  'a full region': { emulator: { byRegion: { hk: { quota: 0 } } } },
  'twelve full regions': {
    minutes: MANY,
    emulator: {
      byRegion: Object.fromEntries(
        Object.keys(MANY)
          .slice(3, 15)
          .map((region) => [region, { quota: 0 }]),
      ),
    },
  },
  'no such right': { emulator: { deniedActions: ['CopyCustomImage'] } },
  'dry run': { before: 'hk', inputs: { 'dry-run': 'true' } },
  'all existed': { before: ALL },
  cancelled: { cancelAt: 2 },
  'cancelled, to be rolled back': { cancelAt: 2, inputs: { rollback: 'step' } },
  timeout: { inputs: { timeout: '10m' } },
  'rolled back in the step': {
    emulator: { byRegion: { sg: { finalState: 'Unavailable' } } },
    inputs: { rollback: 'step' },
  },
  'rolled back in post': { inputs: { rollback: 'job' }, later: { laterStepFails: true } },
  'wait: false': { inputs: { wait: 'false' } },
  'one region': { inputs: { 'target-regions': 'hk' } },
} satisfies Record<string, Situation>;

/** The run, and the job's page: the step's and, behind it, its post step's. */
export async function play(name: keyof typeof SITUATIONS): Promise<{ run: Run; page: string }> {
  const { emulator: options, minutes = THREE, ...situation }: Situation = SITUATIONS[name];
  const { run } = await onEmulator(
    { ...options, source: { name: 'web-2026.11', size: 40 } },
    minutes,
    situation,
  );
  return { run, page: run.summary + (run.post?.ran ? run.post.summary : '') };
}

/**
 * A release to five regions that shows most of what a run can come to: a copy under way since an earlier run is
 * reused, one ends Unavailable, and the source has a data disk, which is not copied.
 */
export async function demoRun(): Promise<Run> {
  const emulator: EmulatorOptions = {
    source: { name: 'web-2026.11', size: 40, dataSnapshotIds: ['snap-data1'] },
    byRegion: { 'jpn-tky': { finalState: 'Unavailable' } },
  };
  return (await onEmulator(emulator, FIVE, { before: 'hk' })).run;
}

async function onEmulator(
  { byRegion = {}, ...options }: EmulatorOptions,
  minutes: Record<string, number>,
  { before, inputs = {}, later = {}, cancelAt }: Situation,
): Promise<{ run: Run; emulator: Emulator }> {
  const clock = new Clock();
  const emulator = await startEmulator({
    now: clock.now,
    ...options,
    byRegion: Object.fromEntries(
      Object.entries(minutes).map(([region, time]) => [
        region,
        { copySeconds: time * 60, ...byRegion[region] },
      ]),
    ),
  });
  const start = (given: Record<string, string>, more: Options = {}) =>
    startAction({
      env: emulator.env,
      clock,
      ...more,
      inputs: {
        'source-image-id': emulator.sourceImageId,
        'target-project-id': emulator.projects.target,
        'target-regions': Object.keys(minutes).join('\n'),
        ...given,
      },
    });
  try {
    if (before) await start({ 'target-regions': before, wait: String(before === ALL) }).done;
    const running = start(inputs, later);
    if (cancelAt !== undefined) {
      await running.waitFor((log) => (log.match(/^✓/gm) ?? []).length >= cancelAt);
      running.signal('cancel');
    }
    return { run: await running.done, emulator };
  } finally {
    await emulator.close();
  }
}

/** The text that two runs have in common: ids are random, times are a little, and so is what is said in between. */
export function withoutChance(text: string): string {
  return text
    .replace(/uimage-\w+/g, 'uimage-…')
    .replace(/\b(?=\w*[A-Z])(?=\w*[a-z])\w{16}\b/g, '(task)')
    .replace(/^\[ *\d+m\] \d+\/\d+ ready(?:, \d+ failed)?; waiting for [\w, -]*\w/gm, '(progress)')
    .replace(/\b\d{13}\b/g, '(time)')
    .replace(/\b(?:\d+h )?(?:\d+m )?\d+[ms]\b/g, '(time)');
}
