import type * as core from '@actions/core';
import { describe, expect, it } from 'vitest';
import type { Copy } from '../../src/promotion/model.ts';
import { loadState, type State, saveTraces } from '../../src/state.ts';
import { HERE, PROD, RUN } from '../promotion/fake-cloud.ts';
import { Scenario } from '../promotion/scenario.ts';
import { aCopy } from '../words/promotions.ts';

/** What comes back from the runner when these copies were saved. */
function kept(copies: Copy[], some: Partial<State> = {}): State {
  const files = new Map<string, string>();
  const workflow = {
    saveState: (name: string, value: unknown) => files.set(name, JSON.stringify(value)),
    getState: (name: string) => files.get(name) ?? '',
  } as unknown as typeof core;
  const { order } = new Scenario({ regions: copies.map(({ region }) => region) });
  saveTraces(
    workflow,
    order,
    {
      submitted: true,
      succeeded: false,
      ended: null,
      published: null,
      rollback: 'step',
      summary: true,
      ...some,
    },
    { copies, source: null },
  );
  const state = loadState(workflow);
  if (typeof state === 'string') throw new Error('nothing was kept');
  return state;
}

const at = (...regions: string[]) => regions.map((region) => ({ region, projectId: PROD }));

describe('the state for the post step', () => {
  it('names what this run made, and where; never what it adopted', () => {
    const { traces } = kept([
      aCopy({ region: 'hk', imageId: 'uimage-hk', startedAt: 7 }),
      aCopy({ region: 'sg', imageId: 'uimage-sg', plan: 'adopt', created: false }),
    ]);
    expect(traces).toEqual({
      run: RUN,
      since: 7,
      unclear: false,
      created: [{ region: 'hk', projectId: PROD, imageId: 'uimage-hk' }],
      places: at('hk'),
    });
  });

  it('names the places where an image may be whose id is not known', () => {
    const open = { imageId: null, created: false };
    const { traces } = kept([aCopy({ ...open, unclear: true }), aCopy({ ...open, region: 'sg' })]);
    expect(traces).toMatchObject({ created: [], unclear: true });
    // A site that ignores the list of a batch copies into the region of the source.
    expect(traces?.places).toEqual([
      ...at('hk', 'sg'),
      ...at(HERE).map((place) => ({ ...place, unasked: true })),
    ]);
  });

  it('names the region of the source once, where it is a target', () => {
    expect(kept([aCopy(), aCopy({ region: HERE })]).traces?.places).toEqual(at('hk', HERE));
  });

  it('names no places before anything was sent', () => {
    expect(kept([aCopy({ imageId: null, created: false })], { submitted: false }).traces?.places).toEqual([]);
  });
});
