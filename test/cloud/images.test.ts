import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getProjects, getRegions } from '../../src/cloud/account.ts';
import type { ImageQuery } from '../../src/cloud/cloud.ts';
import { CloudError } from '../../src/cloud/errors.ts';
import {
  copyCustomImage,
  describeImages,
  isOwnParameter,
  OWN_PARAMETERS,
  terminateCustomImage,
} from '../../src/cloud/images.ts';
import { failure, fakeClient, type Reply } from './fake.ts';

const ids = (count: number) => Array.from({ length: count }, (_, index) => `uimage-${index}`);

/** A site with `count` images: how many a page, whether it tells a total, and what it ignores. */
function site(
  count: number,
  { cap = 100, total = (all: number, _ofPage: number): unknown => all, ignoreOffset = false } = {},
): Reply {
  return ({ params }) => {
    const offset = ignoreOffset ? 0 : Number(params.Offset);
    const page = ids(count).slice(offset, offset + Math.min(cap, Number(params.Limit)));
    return {
      RetCode: 0,
      TotalCount: total(count, page.length),
      ImageSet: page.map((ImageId) => ({ ImageId })),
    };
  };
}

async function list(reply: Reply, query: Partial<ImageQuery> = {}) {
  const { client, clock, sent } = fakeClient(reply);
  const images = await clock.run(describeImages(client, { Region: 'hk', ...query }));
  return { images: images.map(({ ImageId }) => ImageId), sent };
}

/** A hundred rows of a list. */
const rows = (from: number) =>
  ids(from + 100)
    .slice(from)
    .map((ImageId) => ({ ImageId }));

/** A site that answers with one page after the other. */
const pages =
  (...bodies: object[]): Reply =>
  (_, index) => ({ RetCode: 0, ...bodies[index] });

describe('describeImages', () => {
  const none = () => undefined;
  const ofPage = (_all: number, ofPage: number) => ofPage;
  it.each([
    ['0 images', 0, {}, 1],
    ['1 image', 1, {}, 1],
    ['1 image without a total', 1, { total: none }, 1],
    ['100 images, and looks whether more follow', 100, {}, 2],
    ['101 images, with totals that count the page', 101, { total: ofPage }, 2],
    ['41 images in pages of 20, with totals that count the page', 41, { cap: 20, total: ofPage }, 3],
    ['100 images, with totals that count the page', 100, { total: ofPage }, 2],
    ['100 images without a total', 100, { total: none }, 2],
    ['200 images', 200, {}, 2],
    ['250 images', 250, {}, 3],
    ['250 images without a total', 250, { total: none }, 4],
    ['250 images in pages of 20', 250, { cap: 20 }, 13],
    ['250 images in pages of 20 without a total', 250, { cap: 20, total: none }, 13],
    ['240 images in pages of 20 without a total', 240, { cap: 20, total: none }, 13],
    ['250 images and a total written as a string', 250, { total: String }, 3],
    ['250 images and a total of 0', 250, { total: () => 0 }, 4],
    ['250 images and a negative total', 250, { total: () => -1 }, 4],
    ['250 images and a total that is no number', 250, { total: () => ({ n: 1 }) }, 4],
    ['50 images of a site that ignores Offset', 50, { ignoreOffset: true }, 1],
    ['50 images of a site that ignores Offset and has no total', 50, { ignoreOffset: true, total: none }, 2],
  ])('reads %s', async (_, count, options, calls) => {
    const { images, sent } = await list(site(count, options));
    expect(images).toEqual(ids(count));
    expect(sent).toHaveLength(calls);
    expect(new Set(sent.map(({ params }) => params.Limit))).toEqual(new Set(['100']));
  });

  it('gives each image once when the list shifts between two pages', async () => {
    const { images } = await list(({ params }) => {
      const offset = Math.max(0, Number(params.Offset) - 1);
      return {
        RetCode: 0,
        TotalCount: 150,
        ImageSet: ids(150)
          .slice(offset, offset + 100)
          .map((ImageId) => ({ ImageId })),
      };
    });
    expect(images).toEqual(ids(150));
  });

  /** A site in pages of 20 whose images change before it answers the request of an index. */
  function changing(held: string[], change: (index: number) => unknown): Reply {
    return ({ params }, index) => {
      change(index);
      const from = Number(params.Offset);
      return {
        RetCode: 0,
        TotalCount: held.length,
        ImageSet: held.slice(from, from + 20).map((ImageId) => ({ ImageId })),
      };
    };
  }

  it.each([
    ['moves another to a page that is read', 25, 1],
    ['leaves the next page empty', 21, 1],
    ['comes before the last of many pages', 50, 2],
  ])('is read again when a deletion between two pages hides an image: it %s', async (_, count, index) => {
    const held = ids(count);
    const { images } = await list(changing(held, (now) => now === index && held.shift()));
    expect(images).toEqual(ids(count).slice(1));
  });

  it('is read again when images that are made between two pages leave nothing new on the second', async () => {
    const held = ids(25);
    const made = Array.from({ length: 20 }, (_, index) => `new-${index}`);
    const { images } = await list(changing(held, (now) => now === 1 && held.unshift(...made)));
    expect(images).toEqual([...made, ...ids(25)]);
  });

  it('is read again when the order changes between two pages and hides an image', async () => {
    const held = ids(30);
    // The last one comes to the front: the second page repeats one of the first, and the total stays.
    const { images } = await list(changing(held, (now) => now === 1 && held.unshift(held.pop() as string)));
    expect(images.sort()).toEqual(ids(30).sort());
  });

  it('is read three times at most, and then holds what was seen in any of them', async () => {
    const held = ids(25);
    // Before each second page another goes, so each read misses another: uimage-20, then 21, then 22.
    const { images, sent } = await list(changing(held, (now) => now % 2 === 1 && held.shift()));
    expect(sent.map(({ params }) => params.Offset)).toEqual(['0', '20', '0', '20', '0', '20']);
    expect(images.sort()).toEqual(ids(25).sort());
  });

  it('is not read again for a total that only the first page tells, nor when all that was asked for is there', async () => {
    const first = await list(
      pages({ ImageSet: rows(0), TotalCount: 150 }, { ImageSet: rows(100).slice(0, 50) }),
    );
    expect(first.images).toEqual(ids(150));
    expect(first.sent.map(({ params }) => params.Offset)).toEqual(['0', '100']);
    const held = ids(25);
    const wanted = await list(
      changing(held, (now) => now === 1 && held.shift()),
      { ImageIds: ['uimage-5', 'uimage-22'] },
    );
    expect(wanted.images).toEqual(['uimage-5', 'uimage-22']);
    expect(wanted.sent).toHaveLength(2);
  });

  it('asks a site that ignores Offset, and whose total changes, a few times and not a thousand', async () => {
    let now = 250;
    const { client, clock, sent } = fakeClient(site(250, { ignoreOffset: true, total: () => now++ }));
    await failure(clock.run(describeImages(client, { Region: 'hk' })), CloudError);
    expect(sent.length).toBeLessThan(10);
  });

  it('says so when part of the list cannot be had, rather than hand out half of it', async () => {
    const { client, clock } = fakeClient(site(250, { ignoreOffset: true }));
    const error = await failure(clock.run(describeImages(client, { Region: 'hk' })), CloudError);
    expect(error).toMatchObject({ kind: 'unreadable', verdict: 'retry', region: 'hk' });
    expect(error.message).toBe(
      'DescribeImage in hk failed: the list of images does not come to an end (100 images after 200 rows)',
    );
    expect(error.advice).toContain("the vendor's support should know");
  });

  it.each([
    ['Offset is ignored, and the rows are more than the total', () => 0],
    [
      'each page repeats rows of the one before, and others never come',
      (from: number) => Math.max(0, from - 30),
    ],
  ])('does not take rows that come twice for others that are missing: %s', async (_, start) => {
    const { client, clock } = fakeClient(({ params }) => {
      const from = start(Number(params.Offset));
      return {
        RetCode: 0,
        TotalCount: 121,
        ImageSet: rows(from).slice(0, Math.max(0, 121 - Number(params.Offset))),
      };
    });
    const error = await failure(clock.run(describeImages(client, { Region: 'hk' })), CloudError);
    expect(error).toMatchObject({ kind: 'unreadable', verdict: 'retry', region: 'hk' });
  });

  it('counts an image that stands twice in one page as two of the total', async () => {
    const twice = [...rows(0).slice(0, 24), { ImageId: 'uimage-3' }];
    const { images } = await list(() => ({ RetCode: 0, TotalCount: 25, ImageSet: twice }));
    expect(images).toHaveLength(24);
  });

  /** How often a page that is not a fact was asked for. */
  async function unreadable(reply: Reply, query: Partial<ImageQuery> = {}) {
    const { client, clock, sent } = fakeClient(reply);
    const options = { patience: 60_000 };
    const read = clock.run(describeImages(client, { Region: 'hk', ...query }, options));
    const error = await failure(read, CloudError);
    expect(error).toMatchObject({ kind: 'unreadable', verdict: 'retry', blames: 'target', decisive: false });
    return { error, offsets: sent.map(({ params }) => params.Offset) };
  }

  const NO_LIST = 'the answer has no list of images';
  it.each<[string, Reply, string]>([
    ['without a set', () => ({ RetCode: 0 }), NO_LIST],
    ['without a set, though there are images', () => ({ RetCode: 0, TotalCount: 5 }), NO_LIST],
    ...[null, {}, 'x', 7].map((ImageSet): [string, Reply, string] => [
      `with the set ${JSON.stringify(ImageSet)}`,
      () => ({ RetCode: 0, ImageSet }),
      NO_LIST,
    ]),
    [
      'with two rows of one image that differ',
      () => ({ RetCode: 0, ImageSet: [7, 8].map((CreateTime) => ({ ImageId: 'uimage-1', CreateTime })) }),
      'the list holds uimage-1 twice, and the two differ',
    ],
    [
      'whose only page is empty, though there are images',
      () => ({ RetCode: 0, TotalCount: 1, ImageSet: [] }),
      'the list of images is cut: 1 in all, and none after 0',
    ],
  ])('is no fact %s', async (_, reply, words) => {
    const { error, offsets } = await unreadable(reply);
    expect([error.meaning, offsets.length > 2]).toEqual([words, true]);
    expect((await unreadable(reply, { ImageIds: ['uimage-1'] })).offsets.length).toBeGreaterThan(2);
  });

  it.each<[string, unknown]>([
    ['told by each page', 150],
    ['told by the first page alone', undefined],
  ])('is no fact when its second page is empty, though there are more by a total %s', async (_, later) => {
    const { error, offsets } = await unreadable(({ params }) =>
      params.Offset === '0'
        ? { RetCode: 0, TotalCount: 150, ImageSet: rows(0) }
        : { RetCode: 0, TotalCount: later, ImageSet: [] },
    );
    expect(error.message).toContain('the list of images is cut: 150 in all, and none after 100');
    expect(offsets[0]).toBe('0');
    expect(new Set(offsets.slice(1))).toEqual(new Set(['100']));
  });

  it('is read again where a page was no fact, and is whole then', async () => {
    const { client, clock, sent } = fakeClient((sent, index) =>
      index % 2 === 0 ? { RetCode: 0, TotalCount: 150, ImageSet: [] } : site(150)(sent, index),
    );
    const images = await clock.run(describeImages(client, { Region: 'hk' }, { patience: 60_000 }));
    expect(images).toHaveLength(150);
    expect(sent).toHaveLength(4);
  });

  it.each([
    [{ TotalCount: 0, ImageSet: [] }],
    [{ ImageSet: [] }],
    [{ TotalCount: 0 }],
    [{ TotalCount: 0, ImageSet: null }],
  ])('is empty by %j, with an id and without', async (body) => {
    for (const query of [{}, { ImageIds: ['uimage-1'] }]) {
      const { images, sent } = await list(() => ({ RetCode: 0, ...body }), query);
      expect(images).toEqual([]);
      expect(sent).toHaveLength(1);
    }
  });

  it('is read by 20 where the API refuses a Limit of 100, also while a known copy is watched', async () => {
    const { client, clock, sent } = fakeClient((sent, index) =>
      Number(sent.params.Limit) > 20
        ? { RetCode: 230, Message: 'Params [Limit] not available' }
        : site(45)(sent, index),
    );
    const images = await clock.run(
      describeImages(client, { Region: 'hk' }, { patience: 60_000, persist: true }),
    );
    expect(images).toHaveLength(45);
    expect(sent.map(({ params }) => params.Limit)).toEqual(['100', '20', '20', '20']);
    expect(clock.elapsed).toBe(0);
  });

  it.each([
    [{ RetCode: 230, Message: 'Params [Limit]' }, {}, 2],
    [{ RetCode: 230, Message: 'Params [Limit]' }, { ImageIds: ['uimage-1'] }, 1],
    [{ RetCode: 230, Message: 'Params [Tag]' }, {}, 1],
    [{ RetCode: 171, Message: 'Limit' }, {}, 1],
  ])(
    'that is refused by %j (%j) is asked for %i times: no smaller page helps',
    async (refusal, query, times) => {
      const { client, clock, sent } = fakeClient(() => refusal);
      const read = clock.run(describeImages(client, { Region: 'hk', ...query }));
      expect((await failure(read, CloudError)).code).toBe(refusal.RetCode);
      expect(sent).toHaveLength(times);
    },
  );

  it('ends where the API refuses the Offset of a page behind a full one that holds all', async () => {
    const { images } = await list((sent, index) =>
      Number(sent.params.Offset) >= 100
        ? { RetCode: 230, Message: 'Params [Offset] not available' }
        : site(100)(sent, index),
    );
    expect(images).toEqual(ids(100));
  });

  it('ends with the last of the images that were asked for', async () => {
    const wanted = { ImageIds: ['uimage-0', 'uimage-100', 'uimage-0'] };
    const { images, sent } = await list(
      pages(...[0, 100, 200].map((from) => ({ ImageSet: rows(from) }))),
      wanted,
    );
    expect(images).toEqual(['uimage-0', 'uimage-100']);
    expect(sent).toHaveLength(2);
  });

  it('goes on after a page that holds none of those that were asked for', async () => {
    const { images, sent } = await list(
      pages(...[0, 100, 200].map((from) => ({ ImageSet: rows(from), TotalCount: 300 }))),
      { ImageIds: ['uimage-250', 'uimage-251'] },
    );
    expect(images).toEqual(['uimage-250', 'uimage-251']);
    expect(sent).toHaveLength(3);
  });

  it('is not taken for empty when its rows cannot be read and there are more', async () => {
    const { client, clock } = fakeClient(() => ({
      RetCode: 0,
      TotalCount: 99,
      ImageSet: Array(30).fill({}),
    }));
    const error = await failure(clock.run(describeImages(client, { Region: 'hk' })), CloudError);
    expect(error.kind).toBe('unreadable');
  });

  it.each([
    [20, 1_000],
    [100, 200],
    [5_000, 4],
  ])('stops at 20,000 rows of a list without end, in pages of %d', async (length, pages) => {
    const { client, clock, sent } = fakeClient(({ params }) => ({
      RetCode: 0,
      ImageSet: Array.from({ length }, (_, index) => ({ ImageId: `x-${Number(params.Offset) + index}` })),
    }));
    await failure(clock.run(describeImages(client, { Region: 'hk' })), CloudError);
    expect(sent).toHaveLength(pages);
  });

  it('asks for one id as ImageId, for several as a list, and takes no other image', async () => {
    const one = await list(site(3), { ImageIds: ['uimage-1'] });
    expect(one.images).toEqual(['uimage-1']);
    expect(one.sent[0]?.params).toMatchObject({ ImageId: 'uimage-1' });
    expect(one.sent[0]?.params).not.toHaveProperty(['ImageIds.0']);
    const two = await list(site(300, { ignoreOffset: true }), { ImageIds: ['uimage-2', 'uimage-0'] });
    expect(two.images).toEqual(['uimage-0', 'uimage-2']);
    expect(two.sent).toHaveLength(1);
    expect(two.sent[0]?.params).toMatchObject({ 'ImageIds.0': 'uimage-2', 'ImageIds.1': 'uimage-0' });
    expect((await list(site(0), { ImageIds: ['uimage-1'] })).images).toEqual([]);
    expect((await list(site(2), { ImageIds: [] })).images).toHaveLength(2);
  });

  it('sends only what was given', async () => {
    const { sent } = await list(site(0));
    const keys = ['Action', 'Limit', 'Offset', 'PublicKey', 'Region', 'SecurityToken', 'Signature'];
    expect(Object.keys(sent[0]?.params ?? {}).sort()).toEqual(keys);
    const full = await list(site(0), { ProjectId: 'org-1', ImageType: 'Custom' });
    expect(full.sent[0]?.params).toMatchObject({ ProjectId: 'org-1', ImageType: 'Custom' });
  });

  it('reads every field, and drops what has another type', async () => {
    const good = {
      ImageId: 'uimage-1',
      ImageName: 'web-1.4.2',
      State: 'Available',
      ImageDescription: '镜像',
      OsType: 'Linux',
      OsName: 'Ubuntu 24.04',
      ImageType: 'Custom',
      ImageSize: 40,
      Features: ['CloudInit'],
      CreateTime: 1_767_225_600,
      DataSnapshotIds: ['snap-1'],
      MaintainEol: '2029/04/30',
    };
    const bad = {
      ...Object.fromEntries(Object.keys(good).map((key) => [key, { not: 'this' }])),
      ImageId: 7,
      ImageSize: '40',
      CreateTime: 'yesterday',
      Features: ['IPv6', null, { a: 1 }],
      ImageName: '',
    };
    const { client, clock } = fakeClient(() => ({
      RetCode: 0,
      ImageSet: [good, bad],
    }));
    const images = await clock.run(describeImages(client, { Region: 'hk' }));
    expect(images).toEqual([good, { ImageId: '7', ImageSize: 40, Features: ['IPv6'] }]);
    expect(Object.keys(images[1] ?? {})).toHaveLength(3);
  });

  it.each([
    ['available', 'Available'],
    ['MAKING', 'Making'],
    ['copying', 'Copying'],
    ['UnAvailable', 'Unavailable'],
    ['Moving', 'Moving'],
    ['', undefined],
  ])('spells the state %j as %j', async (State, spelled) => {
    const { client, clock } = fakeClient(() => ({ RetCode: 0, ImageSet: [{ ImageId: 'uimage-1', State }] }));
    expect((await clock.run(describeImages(client, { Region: 'hk' })))[0]?.State).toBe(spelled);
  });

  it.each([0, -1, '0', undefined])('takes the size %j for none', async (ImageSize) => {
    const { client, clock } = fakeClient(() => ({ RetCode: 0, ImageSet: [{ ImageId: 'a', ImageSize }] }));
    expect(await clock.run(describeImages(client, { Region: 'hk' }))).toEqual([{ ImageId: 'a' }]);
  });

  it.each<[string, unknown]>([
    ...[
      '-rf',
      '--help',
      '::stop-commands::x',
      '../../etc',
      'a/b',
      'a b',
      '.x',
      '_x',
      `u${'x'.repeat(128)}`,
    ].map((ImageId): [string, unknown] => [`under the id ${ImageId}`, { ImageId }]),
    ['without an id', { ImageName: 'web' }],
    ['under an empty id', { ImageId: '' }],
    ['that is null', null],
    ['that is a text', 'x'],
    ['that is a list', [1]],
  ])('is no fact when it holds an image %s: left out, it would be denied', async (_, row) => {
    const { client, clock } = fakeClient(() => ({ RetCode: 0, ImageSet: [{ ImageId: 'uimage-1' }, row] }));
    const error = await failure(clock.run(describeImages(client, { Region: 'hk' })), CloudError);
    expect([error.kind, error.meaning]).toEqual(['unreadable', expect.stringContaining('without an id')]);
  });

  it('asks an endpoint that ignores Offset and ids twice for an id that is on no page it gives', async () => {
    const { offsets } = await (async () => {
      const { client, clock, sent } = fakeClient(site(250, { ignoreOffset: true }));
      const read = describeImages(client, { Region: 'hk', ImageIds: ['uimage-200'] });
      await failure(clock.run(read), CloudError);
      return { offsets: sent.map(({ params }) => params.Offset) };
    })();
    expect(offsets).toEqual(['0', '20']);
  });
});

describe('copyCustomImage', () => {
  const request = { Region: 'cn-bj2', SourceImageId: 'uimage-1', TargetProjectId: 'org-2' };
  async function copy(answer: object, more: Partial<Parameters<typeof copyCustomImage>[1]> = {}) {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: 0, ...answer }));
    return {
      answer: await clock.run(copyCustomImage(client, { ...request, ...more })),
      params: sent[0]?.params ?? {},
    };
  }

  it('sends every parameter of the request', async () => {
    const more = {
      Zone: 'cn-bj2-04',
      ProjectId: 'org-1',
      TargetRegionList: ['hk', 'sg'],
      TargetImageName: 'web',
      TargetImageDescription: 'a & b = c',
      TargetImageTag: 'prod',
    };
    const { params } = await copy({}, { ...more, extra: { TargetEmail: 'a@b', TgtChannelId: '1' } });
    const { TargetRegionList: _, ...plain } = more;
    expect(params).toMatchObject({
      Action: 'CopyCustomImage',
      ...request,
      ...plain,
      'TargetRegionList.0': 'hk',
      'TargetRegionList.1': 'sg',
      TargetEmail: 'a@b',
      TgtChannelId: '1',
    });
    expect((await copy({}, { TargetRegion: 'hk' })).params).toMatchObject({ TargetRegion: 'hk' });
  });

  it('lets no extra parameter take the place of one of ours, set or not', async () => {
    const extra = Object.fromEntries(
      OWN_PARAMETERS.flatMap((name) => [name, `${name}.0`, name.toLowerCase(), ` ${name}`]).map((name) => [
        name,
        'evil',
      ]),
    );
    const { params } = await copy({}, { extra });
    expect(Object.values(params)).not.toContain('evil');
  });

  it('knows its own parameters', () => {
    expect(OWN_PARAMETERS.every(isOwnParameter)).toBe(true);
    for (const name of [
      'TargetRegionList.N',
      'TargetRegionList.0.1',
      'Region.10',
      'region',
      'region.',
      'Zone.\n1',
    ])
      expect(isOwnParameter(name), name).toBe(true);
    for (const name of ['TargetEmail', 'RegionX', 'X.Region', ''])
      expect(isOwnParameter(name), name).toBe(false);
  });

  it.each([
    [
      { TargetImageId: 'u', TaskId: 't' },
      { TargetImageId: 'u', TaskId: 't' },
    ],
    [{ TargetImageId: '', TaskId: '' }, {}],
    [{ Infos: [] }, { Infos: [] }],
    [{ Infos: null }, {}],
    [{ Infos: {} }, {}],
    [
      {
        Infos: [
          { TargetImageId: 'u', TargetRegion: 'hk', TaskId: 7 },
          { TargetRegion: 'sg', TaskId: '' },
          {},
          null,
        ],
      },
      { Infos: [{ TargetImageId: 'u', TargetRegion: 'hk', TaskId: '7' }, { TargetRegion: 'sg' }, {}] },
    ],
  ])('reads %j', async (body, answer) => {
    expect((await copy(body)).answer).toStrictEqual({ ...answer, requestId: 'request-0' });
  });
});

it('"no such image" (8956) is an empty list where ids were asked for, and an error of a whole list', async () => {
  const { client, clock } = fakeClient(() => ({ RetCode: 8956 }));
  const byId = clock.run(describeImages(client, { Region: 'hk', ImageIds: ['uimage-1'] }));
  expect(await byId).toEqual([]);
  const whole = clock.run(describeImages(client, { Region: 'hk', ImageType: 'Custom' }));
  expect((await failure(whole, CloudError)).code).toBe(8956);
});

describe('terminateCustomImage', () => {
  const image = { Region: 'hk', ProjectId: 'org-2', ImageId: 'uimage-1' };

  it.each([
    [0, true],
    [8956, false],
  ])('is done with RetCode %d; that the image was there is %s', async (RetCode, wasThere) => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode }));
    expect(await clock.run(terminateCustomImage(client, image))).toBe(wasThere);
    expect(sent[0]?.params).toMatchObject({ Action: 'TerminateCustomImage', ...image });
  });

  it('fails with any other, and repeats within its patience', async () => {
    const { client, clock } = fakeClient(() => ({ RetCode: 299 }));
    expect((await failure(clock.run(terminateCustomImage(client, image)), CloudError)).code).toBe(299);
    const slow = fakeClient((_, index) => ({ RetCode: index === 0 ? 110 : 8956 }));
    await slow.clock.run(terminateCustomImage(slow.client, image, { patience: 60_000 }));
    expect(slow.sent).toHaveLength(2);
  });
});

describe('the account', () => {
  it('is asked by the names of the calls', async () => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: 0 }));
    await clock.run(getRegions(client));
    await clock.run(getProjects(client));
    expect(sent.map(({ params }) => params.Action)).toEqual(['GetRegion', 'GetProjectList']);
  });

  it('has one entry a region, in the order in which they first came', async () => {
    const { client, clock } = fakeClient(() => ({
      RetCode: 0,
      Regions: [
        { Region: 'hk', Zone: 'hk-01', RegionName: 'Hong Kong', RegionId: 1 },
        { Region: 'cn-bj2', Zone: 'cn-bj2-02' },
        { Region: 'hk', Zone: 'hk-02', RegionName: 'other' },
        { Region: 'cn-bj2', Zone: 'cn-bj2-04', RegionName: 'Beijing' },
        { Zone: 'lost' },
        { Region: 'sg' },
        null,
      ],
    }));
    expect(await clock.run(getRegions(client))).toStrictEqual([
      { Region: 'hk', RegionName: 'Hong Kong' },
      { Region: 'cn-bj2', RegionName: 'Beijing' },
      { Region: 'sg' },
    ]);
  });

  it('lists its projects', async () => {
    const { client, clock } = fakeClient(() => ({
      RetCode: 0,
      ProjectSet: [
        { ProjectId: 'org-1', ProjectName: 'Default', IsDefault: true },
        { ProjectName: 'x' },
        { ProjectId: 'org-2', IsDefault: 'false' },
        'y',
      ],
    }));
    expect(await clock.run(getProjects(client))).toStrictEqual({
      projects: [
        { ProjectId: 'org-1', ProjectName: 'Default', IsDefault: true },
        { ProjectId: 'org-2', IsDefault: false },
      ],
      whole: true,
    });
  });

  it.each([
    [{ ProjectCount: 1 }, true],
    [{ ProjectCount: 2 }, false],
    [{ TotalCount: 2 }, false],
    [{ TotalCount: 1, ProjectCount: '2' }, false],
    [{ TotalCount: 'many' }, true],
  ])('knows from %j that one project of a list is whole: %s', async (counts, whole) => {
    const { client, clock } = fakeClient(() => ({ RetCode: 0, ...counts, ProjectSet: [{ ProjectId: 'a' }] }));
    expect((await clock.run(getProjects(client))).whole).toBe(whole);
  });

  it.each([
    [20, {}, false],
    [21, {}, true],
    [20, { ProjectCount: 20 }, true],
  ])('takes %i projects with %j for all there are: %s', async (length, counts, whole) => {
    const ProjectSet = ids(length).map((ProjectId) => ({ ProjectId }));
    const { client, clock } = fakeClient(() => ({ RetCode: 0, ...counts, ProjectSet }));
    expect((await clock.run(getProjects(client))).whole).toBe(whole);
  });

  it.each([undefined, null, {}, 'x'])('is empty when the list is %j', async (value) => {
    const { client, clock } = fakeClient(() => ({ RetCode: 0, Regions: value, ProjectSet: value }));
    expect(await clock.run(getRegions(client))).toEqual([]);
    expect(await clock.run(getProjects(client))).toEqual({ projects: [], whole: false });
  });
});

describe('any answer', () => {
  const anything = fc.anything({ maxDepth: 3, withNullPrototype: false });
  const row = fc.record(
    Object.fromEntries(
      [
        'ImageId',
        'ImageSize',
        'Features',
        'State',
        'Region',
        'RegionName',
        'IsDefault',
        'ProjectId',
        'TargetRegion',
      ].map((name) => [name, fc.oneof(anything, fc.string(), fc.integer())]),
    ),
    { requiredKeys: [] },
  );
  const lists = fc.oneof(anything, fc.array(fc.oneof(anything, row), { maxLength: 25 }));

  it('is read, or fails as a CloudError', async () => {
    await fc.assert(
      fc.asyncProperty(lists, anything, fc.oneof(fc.constant(0), anything), async (list, other, RetCode) => {
        const body = JSON.stringify(
          {
            RetCode,
            ImageSet: list,
            Infos: list,
            Regions: list,
            ProjectSet: list,
            TotalCount: other,
            TaskId: other,
          },
          (_, value) => (typeof value === 'bigint' || typeof value === 'symbol' ? String(value) : value),
        );
        const { client, clock } = fakeClient(() => ({ status: 200, raw: body }));
        for (const call of [
          () => describeImages(client, { Region: 'hk' }),
          () => copyCustomImage(client, { Region: 'a', SourceImageId: 'b', TargetProjectId: 'c' }),
          () => terminateCustomImage(client, { Region: 'a', ImageId: 'b' }),
          () => getRegions(client),
          () => getProjects(client),
        ]) {
          try {
            for (const item of Object.values((await clock.run<unknown>(call())) ?? {})) {
              if (typeof item === 'object') expect(Object.values(item as object)).not.toContain(undefined);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(CloudError);
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});
