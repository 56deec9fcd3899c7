import { expect } from 'vitest';
import type { Event, ImageRef, Report } from '../../src/promotion/model.ts';
import { rollback } from '../../src/promotion/rollback.ts';
import type { Traces } from '../../src/promotion/traces.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { FakeCloud, markedBy, PROD, RUN, SOURCE } from './fake-cloud.ts';

export const TERMINATE = 'TerminateCustomImage';
export const ours = (region: string, number = 1): ImageRef => ({
  region,
  projectId: PROD,
  imageId: `uimage-${region}-${number}`,
});
export const place = (region: string) => ({ region, projectId: PROD });

export function setUp() {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const cancel = new AbortController();
  const sleep = clock.sleep.bind(clock);
  let asleep = 0;
  clock.sleep = (ms, signal) => {
    asleep++;
    return sleep(ms, signal).finally(() => {
      asleep--;
    });
  };
  const add = ({ region, imageId }: ImageRef, run = RUN) =>
    cloud.add({ ...SOURCE, ImageId: imageId, ImageDescription: markedBy(run) }, { region, projectId: PROD });
  const undo = async (some: Partial<Traces>, markSecret?: string, postFollows = false) => {
    const traces: Traces = { run: RUN, created: [], places: [], unclear: false, ...some };
    const told: Event[] = [];
    const report: Report = (event) => told.push(structuredClone(event));
    const effects = { cloud, clock, report, signal: cancel.signal, markSecret, postFollows };
    const { deleted, left, problems } = await clock.run(rollback(traces, effects));
    await new Promise((resolve) => setImmediate(resolve));
    expect(asleep).toBe(0);
    const [ended, ...more] = told;
    if (ended?.type !== 'rolled-back' || more.length > 0) throw new Error('told other than the end');
    expect([ended.deleted, ended.left]).toEqual([deleted, problems]);
    for (const { imageId } of left)
      expect(problems.some(({ message }) => message.includes(imageId))).toBe(true);
    return Object.defineProperty({ deleted, left: problems, refs: left }, 'refs', { enumerable: false });
  };
  return { clock, cloud, cancel, add, undo };
}
