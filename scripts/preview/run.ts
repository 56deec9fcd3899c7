import { startEmulator } from '../../test/emulator/emulator.ts';
import { Clock } from '../../test/runner/clock.ts';
import { type Run, runAction } from '../../test/runner/runner.ts';

const MINUTES = { hk: 4, sg: 5.2, 'jpn-tky': 6.5, 'us-ca': 8.4, 'ge-fra': 10.7 };

/**
 * A release to five regions that shows most of what a run can come to: a copy under way since an earlier run is
 * adopted, one ends Unavailable, and the source has a data disk, which is not copied.
 */
export async function demoRun(): Promise<Run> {
  const clock = new Clock();
  const emulator = await startEmulator({
    now: clock.now,
    source: { name: 'web-2026.11', size: 40, dataSnapshotIds: ['snap-data1'] },
    byRegion: Object.fromEntries(
      Object.entries(MINUTES).map(([region, minutes]) => [
        region,
        { copySeconds: minutes * 60, finalState: region === 'jpn-tky' ? 'Unavailable' : 'Available' },
      ]),
    ),
  });
  const options = {
    env: emulator.env,
    clock,
    inputs: {
      'source-image-id': emulator.sourceImageId,
      'target-project-id': emulator.projects.target,
    },
  };
  try {
    await runAction({ ...options, inputs: { ...options.inputs, 'target-regions': 'hk', wait: 'false' } });
    return await runAction({
      ...options,
      inputs: { ...options.inputs, 'target-regions': Object.keys(MINUTES).join('\n') },
    });
  } finally {
    await emulator.close();
  }
}
