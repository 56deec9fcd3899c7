import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { CloudError } from '../../src/cloud/errors.ts';
import { ask } from '../../src/promotion/ask.ts';
import { UNASKED } from '../../src/promotion/excess.ts';
import type { Place } from '../../src/promotion/place.ts';
import { copyOf } from '../../src/promotion/view.ts';
import { BUILD, broken, COPY, fails, HERE, PROD, RUN, refused, SOURCE } from './fake-cloud.ts';
import { ours, Scenario } from './scenario.ts';

const ofCopy = (code: number) => refused(COPY, code, HERE);
const info = (TargetRegion: string, TargetImageId?: string) => ({
  TargetRegion,
  ...(TargetImageId ? { TargetImageId, TaskId: `task-of-${TargetImageId}` } : {}),
});

/** One CopyCustomImage for each of `answers` in turn, for all targets that still want an image. */
async function asked(
  regions: string[],
  answers: (object | CloudError)[],
  { order = {}, findings = {} }: { order?: object; findings?: object } = {},
) {
  const scenario = new Scenario({ regions, ...order });
  const { clock, cloud } = scenario;
  cloud.latency = 0;
  const run = scenario.byHand(findings);
  for (const answer of answers) {
    cloud.fault(COPY, () => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
    const wanting = run.places.filter(({ plan, held }) => plan === 'copy' && !held);
    await clock.run(ask(run, wanting));
  }
  const at = (ms = 0) => ms && (ms - clock.start) / 1000;
  const of = (region: string) => run.places.find((place) => place.region === region) as Place;
  return { scenario, run, of, at, ids: run.places.map(({ held }) => held?.imageId ?? null) };
}

describe('the request', () => {
  const sent = async (some: ConstructorParameters<typeof Scenario>[0]) => {
    const { regions = ['hk'], ...order } = some ?? {};
    return (await asked(regions, [{}], { order })).scenario.cloud.calls(COPY)[0]?.copy;
  };

  it('names all that was ordered, and the mark first', async () => {
    const copy = await sent({
      source: { zone: 'cn-bj2-04', projectId: BUILD },
      target: { name: 'web', description: 'for production', tag: 'shop' },
      extraParameters: { TargetEmail: 'ops@example.com' },
    });
    expect(copy).toEqual({
      Region: HERE,
      Zone: 'cn-bj2-04',
      ProjectId: BUILD,
      SourceImageId: SOURCE.ImageId,
      TargetProjectId: PROD,
      TargetRegion: 'hk',
      TargetImageName: 'web',
      TargetImageDescription: `[copy of cn-bj2/uimage-source by ${RUN}] for production`,
      TargetImageTag: 'shop',
      extra: { TargetEmail: 'ops@example.com' },
    });
  });

  it('leaves out what was not ordered, and takes name and description from the source', async () => {
    expect(await sent({})).toEqual({
      Region: HERE,
      SourceImageId: SOURCE.ImageId,
      TargetProjectId: PROD,
      TargetRegion: 'hk',
      TargetImageName: 'web-1.4.2',
      TargetImageDescription: `[copy of cn-bj2/uimage-source by ${RUN}] nginx and friends`,
      extra: {},
    });
  });

  it('lists several regions, names no region inside that of the source, and signs with mark-secret', async () => {
    const list = await sent({ regions: ['hk', HERE] });
    expect(list).toMatchObject({ TargetRegionList: ['hk', HERE] });
    expect(list).not.toHaveProperty('TargetRegion');
    expect(await sent({ regions: [HERE] })).not.toHaveProperty('TargetRegion');
    expect((await sent({ markSecret: 's' }))?.TargetImageDescription).toMatch(/ sig [\w-]{16}\] nginx/);
  });

  it('is told before it is sent, for then an image may exist; and its ids when they are known', async () => {
    const { scenario } = await asked(
      ['hk', 'sg'],
      [{ Infos: [info('hk', 'uimage-1'), info('sg', 'uimage-2')] }],
    );
    const told = scenario.events.map((event) => [
      event.type,
      'copies' in event && event.copies.map(({ unclear, imageId }) => imageId ?? unclear),
    ]);
    expect(told).toEqual([
      ['submitting', [true, true]],
      ['ids', ['uimage-1', 'uimage-2']],
    ]);
  });
});

describe('an answer with images', () => {
  it.each([
    ['of its own', { TargetImageId: 'uimage-1', TaskId: 'task-of-uimage-1' }],
    ['as to a batch', { Infos: [info('sg', 'x'), info('hk', 'uimage-1')] }],
    ['as to a batch, without a region', { Infos: [{ ...info('hk', 'uimage-1'), TargetRegion: undefined }] }],
  ])('to a single copy: %s', async (_, answer) => {
    const { of } = await asked(['hk'], [answer]);
    expect(of('hk').held).toMatchObject({ imageId: 'uimage-1', taskId: 'task-of-uimage-1', created: true });
  });

  it('to a list: each takes its own, in whatever letters, be it named twice', async () => {
    const { ids, run } = await asked(
      ['hk', 'sg'],
      [{ Infos: [info(' SG ', 'uimage-2'), info('hk'), info('HK', 'uimage-1')] }],
    );
    expect([ids, run.singles]).toEqual([['uimage-1', 'uimage-2'], false]);
  });

  it('to a list, but none for one region: that one is looked for, and no list is sent again', async () => {
    const { of, run, scenario } = await asked(
      ['hk', 'sg'],
      [{ Infos: [info('hk', 'uimage-1'), info('sg')], requestId: 'req-9' }],
    );
    expect([of('hk').doubt, of('sg').doubt?.kind, run.singles]).toEqual([null, 'unclear', true]);
    expect(scenario.notices.join()).toMatch(/\bsg\b.*req-9/);
    expect(run.places).toHaveLength(2);
  });

  it.each([SOURCE.ImageId, 'uimage-precious'])(
    'that was there before (%s): it is not believed',
    async (old) => {
      const held = new Map([['hk', [{ ...SOURCE, ImageId: 'uimage-precious', ImageDescription: '' }]]]);
      const { of } = await asked(['hk'], [{ TargetImageId: old }], { findings: { held } });
      expect(of('hk')).toMatchObject({ held: null, doubt: { kind: 'unclear' }, excess: [] });
      const list = await asked(['hk', 'sg'], [{ Infos: [info('hk', old), info('sg', 'uimage-2')] }], {
        findings: { held },
      });
      expect(list.of('hk')).toMatchObject({ held: null, doubt: { kind: 'unclear' }, excess: [] });
    },
  );

  it('that nobody asked for: to be deleted, unless it was there before', async () => {
    const Infos = [
      info('hk', 'uimage-1'),
      info('sg', 'uimage-2'),
      info(' us-ca', 'uimage-3'),
      info('jpn-tky'),
      { TargetImageId: 'uimage-nowhere' },
    ];
    const { of, ids } = await asked(['hk', 'sg'], [{ Infos: [...Infos, info(HERE, SOURCE.ImageId)] }]);
    expect(ids).toEqual(['uimage-1', 'uimage-2', null]);
    expect(of('us-ca')).toMatchObject({ plan: 'nothing', own: ['uimage-3'], doubt: { kind: 'unclear' } });
  });

  it('that is one for two regions is clear for neither', async () => {
    const { ids, of, scenario } = await asked(
      ['hk', 'sg'],
      [{ Infos: [info('hk', 'uimage-1'), info('sg', 'uimage-1')] }],
    );
    expect([ids, of('hk').doubt?.kind, of('sg').doubt?.kind]).toEqual([[null, null], 'unclear', 'unclear']);
    // It is one of the two, so it is nothing to delete.
    expect([of('hk').excess, of('sg').excess]).toEqual([[], []]);
    expect(scenario.notices.join()).toContain('answered with uimage-1 for more than one region');
  });

  it('that is one of two for a region is no answer for it, and nothing to delete', async () => {
    const twice = [info('hk', 'uimage-1'), info('hk', 'uimage-2')];
    const { ids, of, scenario } = await asked(
      ['hk', 'sg', 'jpn-tky'],
      [{ Infos: [...twice, info('sg', 'uimage-3'), info('jpn-tky', 'uimage-2'), info('us-ca', 'uimage-1')] }],
    );
    expect(of('hk')).toMatchObject({ held: null, own: [], excess: [], doubt: { kind: 'unclear' } });
    expect(ids).toEqual([null, 'uimage-3', null]);
    expect(scenario.notices.join()).toContain('uimage-1 and uimage-2 for hk');
  });

  it('that an earlier answer has given already is no stray; another one there is to be deleted', async () => {
    const Infos = [info('hk', 'uimage-1'), info('HK', 'uimage-4'), info('sg', 'uimage-2'), info('us-ca')];
    const { of, run } = await asked(['hk', 'sg', 'us-ca'], []);
    const [hk] = run.places as [Place];
    const { held } = (await asked(['hk'], [{ TargetImageId: 'uimage-1' }])).of('hk');
    hk.held = held;
    run.cloud.copyCustomImage = async () => ({ Infos });
    await ask(run, run.places.slice(1));
    expect(of('hk').excess).toEqual([{ imageId: 'uimage-4', why: UNASKED }]);
    expect(of('sg').held?.imageId).toBe('uimage-2');
  });
});

describe('one image for a list', () => {
  it('is no answer for any of them: each is looked for, so is the region of the source', async () => {
    const { of, run, scenario } = await asked(['hk', 'sg'], [{ TargetImageId: 'uimage-home' }]);
    for (const region of ['hk', 'sg'])
      expect(of(region).doubt).toMatchObject({ kind: 'unclear', ofList: true });
    expect(of(HERE)).toMatchObject({ plan: 'nothing', own: ['uimage-home'], projectId: PROD });
    expect(of(HERE).doubt).not.toBeNull();
    expect(run.singles).toBe(true);
    expect(scenario.notices).toEqual([
      expect.stringContaining('2 regions with one image, uimage-home'),
      expect.stringContaining('not clear'),
    ]);
  });

  it('in the region of the source, which is a target: it is the one that is looked for', async () => {
    const { run, of } = await asked([HERE, 'hk'], [{ TargetImageId: 'uimage-home' }]);
    expect([run.places.length, of(HERE).plan]).toEqual([2, 'copy']);
    const made = await asked([HERE, 'hk', 'sg'], [{ Infos: [info(HERE, 'uimage-1')] }, ofCopy(110)]);
    expect(made.of(HERE)).toMatchObject({ doubt: { kind: 'unclear' }, unclear: false });
    const source = await asked([HERE, 'hk', 'sg'], [{}], { order: { target: { projectId: BUILD } } });
    expect(source.of(HERE)).toMatchObject({ plan: 'source', problem: null });
    expect([source.of(HERE).doubt?.kind, source.scenario.notices.length]).toEqual(['unclear', 1]);
  });
});

describe('a refusal for good', () => {
  it.each([220, 230, 292, 294, 299, 8095, 8104, 8226, 8300, 8956, 8958, 8959, 8970])(
    'of a single copy (%s) fails the target with the reason, and leaves no doubt',
    async (code) => {
      const { of } = await asked(['hk'], [ofCopy(code)]);
      expect(of('hk').problem?.message).toContain(`RetCode ${code}`);
      expect(of('hk')).toMatchObject({ doubt: null, unclear: false });
    },
  );

  const BOTH = { source: { projectId: BUILD } };
  it.each<[string, number, number, object, RegExp]>([
    [
      'no quota: how many images to choose from',
      8095,
      20,
      {},
      /^Project org-prod has 20 custom images there\. Delete/,
    ],
    ['no quota: one', 8095, 1, {}, / has 1 custom image there\. Delete .*the action prune/],
    [
      'no quota: where else to look',
      8095,
      0,
      {},
      /^Make room where the quota is used up: .* in another project of the account .org-prod has none there/,
    ],
    [
      'no right: where it must hold',
      299,
      0,
      BOTH,
      /^Allow CopyCustomImage .* It must hold in cn-bj2 and in hk\.$/,
    ],
    [
      'no right, and no project: the project comes first',
      299,
      0,
      {},
      /^Allow CopyCustomImage .* of the key's user\.$/,
    ],
    [
      'no such image, though the check has seen it',
      8956,
      0,
      BOTH,
      /^The action listed it .* in cn-bj2, org-build:/,
    ],
    ['what says nothing of the region', 520, 20, {}, /^Top up/],
  ])('advises %s', async (_, code, count, order, advice) => {
    const images = Array.from({ length: count }, (_, index) => ours(`uimage-${index}`, { ImageName: 'db' }));
    const held = new Map([['hk', images]]);
    const { of } = await asked(['hk'], [ofCopy(code)], { order, findings: { held } });
    expect(of('hk').problem?.advice).toMatch(advice);
  });

  it.each([
    ['one region’s reason: looked behind, then each is sent alone', 8095, 'in part', 'refused', 'on its own'],
    ['a region’s rights', 299, 'in part', undefined, 'on its own'],
    ['the place of the source', 8962, 'in part', 'unclear', 'on its own'],
    ['the account’s: looked behind before it is denied', 520, 'final', 'refused', 'not clear'],
    ['the keys', 294, undefined, undefined, ''],
    ['the source', 8958, undefined, undefined, ''],
  ])('of a list is %s (%s)', async (_, code, doubt, home, notice) => {
    const { of, run, scenario } = await asked(['hk', 'sg'], [ofCopy(code)]);
    expect([of('hk').doubt?.kind, of('sg').doubt?.kind, of(HERE)?.doubt?.kind]).toEqual([doubt, doubt, home]);
    expect([of('hk').problem !== null, run.singles]).toEqual([doubt === undefined, doubt === 'in part']);
    expect(scenario.notices).toEqual(notice ? [expect.stringContaining(notice)] : []);
  });
});

describe('a refusal that passes', () => {
  it('is waited out ever longer, up to half a minute, and told ever more rarely', async () => {
    const { scenario, of, at } = await asked(['hk'], [ofCopy(153)]);
    expect(at(of('hk').sendAt)).toBeGreaterThanOrEqual(0.5);
    expect(at(of('hk').sendAt)).toBeLessThanOrEqual(1);
    expect(of('hk').doubt).toMatchObject({ kind: 'refused' });
    expect(scenario.notices).toEqual([expect.stringContaining('153')]);
    const many = await asked(['hk'], Array(9).fill(ofCopy(153)));
    expect(many.at(many.of('hk').sendAt)).toBeGreaterThanOrEqual(15);
    expect(many.at(many.of('hk').sendAt)).toBeLessThanOrEqual(30);
    expect(many.scenario.notices).toHaveLength(4);
  });

  it('with a time of its own (8980) is waited out for that time, but not beyond the timeout', async () => {
    const { of, at } = await asked(['hk'], [ofCopy(8980)]);
    expect(at(of('hk').sendAt)).toBe(30);
    const short = await asked(['hk'], [ofCopy(8980)], { order: { timeout: 20_000 } });
    expect(short.at(short.of('hk').sendAt)).toBe(20);
  });

  it('since no connection was made: nothing can have run, and nothing is looked for', async () => {
    const { of, run } = await asked(['hk', 'sg'], [broken(COPY, 'connection')]);
    expect(of('hk')).toMatchObject({ doubt: null, unclear: false, refusals: 1 });
    expect([run.places.length, run.singles]).toEqual([2, false]);
  });

  it('of a list leaves lists allowed, and the region of the source in doubt', async () => {
    const { of, run, scenario } = await asked(['hk', 'sg'], [ofCopy(8980)]);
    expect([run.singles, of(HERE).doubt?.kind]).toEqual([false, 'refused']);
    expect(scenario.notices).toEqual([expect.stringContaining('again in 30 s')]);
  });

  it('since the source is not Available (8961) is sent again; from the second on the source is read', async () => {
    const { scenario, of, at } = await asked(['hk'], [ofCopy(8961)]);
    expect([at(of('hk').sendAt), of('hk').problem]).toEqual([5, null]);
    expect(scenario.cloud.calls('DescribeImage')).toEqual([]);
    expect(scenario.notices).toEqual([expect.stringContaining('again in 5 s')]);
    const twice = await asked(['hk'], [ofCopy(8961), ofCopy(8961)]);
    expect(twice.scenario.cloud.calls('DescribeImage')).toMatchObject([{ imageIds: [SOURCE.ImageId] }]);
    expect(twice.of('hk')).toMatchObject({ problem: null, refusals: 2 });
    expect(twice.of('hk').sendAt - twice.scenario.clock.now()).toBe(10_000);
    const told =
      'The source uimage-source is not ready to be copied: the action waits until it is Available.';
    expect(twice.scenario.notices).toContain(told);
  });

  it('since the source has become Unavailable is for good, and names it', async () => {
    const scenario = new Scenario();
    const run = scenario.byHand();
    scenario.cloud.fault(COPY, fails(8961), { times: 2 });
    if (scenario.cloud.stored[0]) scenario.cloud.stored[0].finalState = 'Unavailable';
    await scenario.clock.run(ask(run, run.places).then(() => ask(run, run.places)));
    expect(run.places[0]).toMatchObject({
      doubt: { kind: 'final' },
      answer: { message: expect.stringMatching(/uimage-source.*Unavailable/) },
    });
  });
});

describe('an answer that says nothing', () => {
  it.each([
    ['RetCode 110', ofCopy(110)],
    ['a code nobody knows', ofCopy(99_999)],
    ['a lost line', broken(COPY, 'lost')],
    ['a page', broken(COPY, 'unreadable')],
    ['no id', { requestId: 'req-9' }],
  ])('(%s) leaves the target in doubt, and no other list is sent', async (_, answer) => {
    const { of, scenario } = await asked(['hk'], [answer]);
    expect(of('hk')).toMatchObject({
      held: null,
      problem: null,
      unclear: true,
      doubt: { kind: 'unclear', ofList: false },
    });
    expect(scenario.notices).toEqual([expect.stringContaining('hk')]);
    const list = await asked(['hk', 'sg'], [answer]);
    expect(list.of('sg').doubt).toMatchObject({ kind: 'unclear', ofList: true });
    expect([list.run.singles, list.of(HERE).doubt?.kind, list.of(HERE).own]).toEqual([true, 'unclear', []]);
    expect(list.scenario.notices.at(-1)).toMatch(/^It is not clear whether .* hk, sg/);
  });
});

describe('an answer that the target is the source (8962)', () => {
  const target = { projectId: BUILD };
  const unknown = { sourceProject: null };

  it.each([
    ['its own region, its project unknown', 8962, HERE, { findings: unknown, order: { target } }, 'source'],
    ['there, with no quota left', 8095, HERE, { findings: unknown, order: { target } }, 'failed'],
    ['another region', 8962, 'hk', { findings: unknown, order: { target } }, 'failed'],
    ['another project', 8962, HERE, {}, 'failed'],
  ])('to a single copy into %s (%i)', async (_, code, region, some, outcome) => {
    const { of } = await asked([region], [ofCopy(code)], some);
    expect(copyOf(of(region)).outcome).toBe(outcome);
  });

  it('of a list is believed there alone; the others are looked for, and sent to one by one', async () => {
    const { of, run, at } = await asked([HERE, 'hk'], [ofCopy(8962)], {
      findings: unknown,
      order: { target },
    });
    expect(copyOf(of(HERE))).toMatchObject({ outcome: 'source', imageId: SOURCE.ImageId });
    expect([of('hk').problem, of('hk').doubt?.kind, at(of('hk').sendAt)]).toEqual([null, 'in part', 10]);
    expect(run.singles).toBe(true);
  });
});

describe('the end of the step', () => {
  /** What the place is when the answer takes `seconds`, or the copy `waits` so long for its turn. */
  const ended = async (cancelAt: number, seconds: number, waits = false, timeout = 7_200_000) => {
    const scenario = new Scenario({ timeout });
    const { clock, cloud, context } = scenario;
    cloud.latency = 0;
    cloud.fault(COPY, async (execute, _sent, signal, unsent) => {
      await clock.sleep(seconds * 1000, waits ? unsent : signal);
      return execute();
    });
    scenario.cancelAt(cancelAt * 1000);
    const run = scenario.byHand();
    await clock.run(ask(run, run.places));
    expect(getEventListeners(context.signal, 'abort')).toEqual([]);
    return { ...copyOf(run.places[0] as Place), at: clock.elapsed / 1000 };
  };

  it('waits three seconds for an answer that is under way: its ids are worth it', async () => {
    expect(await ended(1, 3)).toMatchObject({ imageId: 'uimage-new-hk-1', unclear: false, at: 3 });
    expect(await ended(1, 60)).toMatchObject({ imageId: null, unclear: true, at: 4 });
  });

  it('does not send what waits for its turn: at a cancel, or at the deadline', async () => {
    expect(await ended(1, 60, true)).toMatchObject({ imageId: null, unclear: false, at: 1 });
    expect(await ended(999, 60, true, 20_000)).toMatchObject({ imageId: null, unclear: false, at: 20 });
  });

  it('the timeout lets an answer that is under way come', async () => {
    expect(await ended(999, 60, false, 20_000)).toMatchObject({ imageId: 'uimage-new-hk-1', at: 60 });
  });
});
