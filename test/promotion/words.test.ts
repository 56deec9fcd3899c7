/** What a promotion says, word for word: each reason and each advice stands beside the events that lead to it. */
import { expect, it } from 'vitest';
import { CloudError } from '../../src/cloud/errors.ts';
import { Stopped } from '../../src/promotion/context.ts';
import type { Promotion } from '../../src/promotion/model.ts';
import {
  BUILD,
  broken,
  doneBut,
  fails,
  HERE,
  markedBy,
  PROD,
  RUN,
  refused,
  Scenario,
  SOURCE,
  told,
} from './scenario.ts';

type Some = ConstructorParameters<typeof Scenario>[0];

/** The problems and warnings of a run, and why each copy was planned. */
async function words(some: Some, prepare: (scenario: Scenario) => void = () => {}): Promise<string[]> {
  const scenario = new Scenario(some);
  prepare(scenario);
  const promotion: Promotion = await scenario.promote();
  return [
    ...told(promotion),
    ...scenario.warnings,
    ...scenario.notices,
    ...promotion.copies.map(({ region, why }) => `${region}: ${why}`),
  ];
}
const image = (ImageId: string, some: Partial<typeof SOURCE> = {}) => ({ ...SOURCE, ImageId, ...some });
const dry = { dryRun: true };

it('of the check', async () => {
  const source = (imageId: string) => ({ ...dry, source: { imageId } });
  const add =
    (some: Partial<typeof SOURCE>, more = {}) =>
    (scenario: Scenario) =>
      scenario.cloud.add(image('uimage-x', some), more);
  expect({
    unlisted: await words(dry, ({ cloud }) => {
      cloud.fault('GetRegion', fails(299));
      cloud.fault('GetProjectList', fails(161));
    }),
    absent: await words(source('uimage-x')),
    base: await words(source('uimage-x'), add({ ImageType: 'Base' })),
    unavailable: await words(source('uimage-x'), add({ State: 'Unavailable' })),
    unavailableByName: await words(
      { ...dry, source: { name: 'bad' } },
      add({ State: 'Unavailable', ImageName: 'bad' }),
    ),
    unavailableAtLast: await words(
      source('uimage-x'),
      add({ State: 'Making' }, { settles: 30, finalState: 'Unavailable' }),
    ),
    tooLong: await words({ ...source('uimage-x'), timeout: 60_000 }, add({ State: 'Making' })),
    deleted: await words(source('uimage-x'), (scenario) => {
      add({ State: 'Making' })(scenario);
      scenario.clock.after(30_000, () => scenario.cloud.remove('uimage-x'));
    }),
    near: await words({ ...dry, source: { name: 'web-1.4.3' } }, add({ ImageName: 'web-1.4.4' })),
    nothingNear: await words({ ...dry, source: { name: 'zzzzzzzzzzzzzzz' } }),
    spokenRegion: await words({ ...dry, regions: ['TOKYO'] }),
    manyNear: await words({ ...dry, regions: ['eu-1'] }, ({ cloud }) => {
      cloud.regions = ['eu-2', 'eu-3', 'eu-4', 'eu-5'].map((Region) => ({ Region, RegionName: 'EU-1' }));
      cloud.regions.push({ Region: HERE });
    }),
    twelveRegions: await words({ ...dry, regions: ['frankfurt-am-main'] }, ({ cloud }) => {
      for (let index = 0; index < 7; index++) cloud.regions.push({ Region: `r${index}` });
    }),
    thirteenRegions: await words({ ...dry, regions: ['frankfurt-am-main'] }, ({ cloud }) => {
      for (let index = 0; index < 8; index++) cloud.regions.push({ Region: `r${index}` });
    }),
  }).toMatchInlineSnapshot(`
    {
      "absent": [
        "source-image-id: there is no image uimage-x in cn-bj2, the default project. Check the id, region and project-id: an image is only seen in its own region and project.",
      ],
      "base": [
        "source-image-id: uimage-x in cn-bj2, the default project is a Base image, not a custom one. Only custom images can be copied: create one from a machine that was started from it.",
      ],
      "deleted": [
        "The source image uimage-x was deleted while it was waited for. Build it again, or name another source.",
        "The source uimage-x is Making: waiting until it is Available.",
      ],
      "manyNear": [
        "target-regions: this account has no region eu-1. Did you mean eu-2, eu-3 or eu-4?",
      ],
      "near": [
        "source-image-name: no custom image in cn-bj2, the default project matches web-1.4.3. Did you mean web-1.4.2 or web-1.4.4? A glob takes * and ?, and must match the whole name.",
      ],
      "nothingNear": [
        "source-image-name: no custom image in cn-bj2, the default project matches zzzzzzzzzzzzzzz. There are 1 custom images. Check region and project-id.",
      ],
      "spokenRegion": [
        "target-regions: this account has no region TOKYO. Did you mean jpn-tky?",
      ],
      "thirteenRegions": [
        "target-regions: this account has no region frankfurt-am-main. The account's regions: cn-bj2, hk, sg, us-ca, jpn-tky, r0, r1, r2, r3, r4, r5, r6 and 1 more. A new region may have to be opened for the account first.",
      ],
      "tooLong": [
        "The source image uimage-x is still Making at the end of the timeout. Run again when it is Available, or give a longer timeout.",
        "The source uimage-x is Making: waiting until it is Available.",
      ],
      "twelveRegions": [
        "target-regions: this account has no region frankfurt-am-main. The account's regions: cn-bj2, hk, sg, us-ca, jpn-tky, r0, r1, r2, r3, r4, r5, r6. A new region may have to be opened for the account first.",
      ],
      "unavailable": [
        "The source image uimage-x in cn-bj2, the default project is Unavailable. It failed to build or was damaged: build it again. It cannot be copied.",
      ],
      "unavailableAtLast": [
        "The source image uimage-x in cn-bj2 is Unavailable. It failed to build or was damaged: build it again. It cannot be copied.",
        "The source uimage-x is Making: waiting until it is Available.",
      ],
      "unavailableByName": [
        "The source image uimage-x in cn-bj2, the default project is Unavailable. It failed to build or was damaged: build it again. It cannot be copied.",
      ],
      "unlisted": [
        "The regions were not checked against GetRegion: GetRegion failed: the IAM policy of the key's user does not allow it (RetCode 299, request id request-299). The promotion goes on: a wrong name will be told by the copy itself.",
        "The projects were not checked against GetProjectList: GetProjectList failed: this API endpoint does not know the call (RetCode 161, request id request-161). The promotion goes on: a wrong name will be told by the copy itself.",
        "hk: no copy of this source is there",
      ],
    }
  `);
});

it('of the plan', async () => {
  const held =
    (...images: (typeof SOURCE)[]) =>
    ({ cloud }: Scenario) => {
      for (const some of images) cloud.add(some, { region: 'hk', projectId: PROD });
    };
  const copy = (ImageId: string, some: Partial<typeof SOURCE> = {}) =>
    image(ImageId, { ImageDescription: markedBy('old-run'), ...some });
  const { ImageName: _, ...nameless } = SOURCE;
  const { State: __, ...stateless } = copy('uimage-1');
  expect({
    nothingThere: await words(dry),
    nameless: await words({ ...dry, source: { imageId: 'uimage-x' } }, ({ cloud }) =>
      cloud.add({ ...nameless, ImageId: 'uimage-x' }),
    ),
    itself: await words({ ...dry, regions: [HERE], target: { projectId: BUILD, name: 'other' } }),
    fail: await words({ ...dry, ifExists: 'fail' }, held(copy('uimage-1'))),
    adopt: await words(dry, held(copy('uimage-1'))),
    adoptStateless: await words(dry, held(stateless)),
    adoptOneOfThree: await words(dry, held(...[3, 1, 2].map((n) => copy(`uimage-${n}`, { CreateTime: n })))),
    copyAnother: await words({ ...dry, ifExists: 'copy' }, held(copy('uimage-1'), copy('uimage-2'))),
    unusable: await words(dry, held(...[1, 2].map((n) => copy(`uimage-${n}`, { State: 'Unavailable' })))),
    otherNames: await words(
      dry,
      held(...[1, 2].map((n) => copy(`uimage-${n}`, { ImageName: `other-${n}` }))),
    ),
    namesakes: await words(
      dry,
      held(image('uimage-1'), image('uimage-2'), image('uimage-3', { ImageName: 'other' })),
    ),
    strangers: await words(dry, held(image('uimage-3', { ImageName: 'other' }))),
    disks: await words({ ...dry, source: { imageId: 'uimage-x' } }, ({ cloud }) =>
      cloud.add(image('uimage-x', { DataSnapshotIds: ['a', 'b'], MaintainEol: '2025/12/31' })),
    ),
    oddDates: await words({ ...dry, source: { imageId: 'uimage-x' } }, ({ cloud }) =>
      cloud.add(image('uimage-x', { MaintainEol: 'x2020/1/1', DataSnapshotIds: [] })),
    ),
    oddTimes: await words({ ...dry, source: { imageId: 'uimage-x' } }, ({ cloud }) =>
      cloud.add(image('uimage-x', { MaintainEol: '2020/1/1 12:00' })),
    ),
  }).toMatchInlineSnapshot(`
    {
      "adopt": [
        "hk: this copy of the source is there, Available",
      ],
      "adoptOneOfThree": [
        "hk: there are other copies of this source with this name: uimage-2, uimage-3. The oldest, uimage-1, is adopted. Delete those that nobody uses.",
        "hk: this copy of the source is there, Available",
      ],
      "adoptStateless": [
        "The API tells a state that nobody documented: unknown. It is taken for "still under way". If copies stay in it, ask the vendor what it means.",
        "hk: this copy of the source is there, without a state",
      ],
      "copyAnother": [
        "hk: if-exists is copy; there already: uimage-1, uimage-2",
      ],
      "disks": [
        "The source uimage-x has 2 data-disk snapshots: only the system disk is copied. Copy the data disks on their own where the machines need them.",
        "The source's operating system Ubuntu 24.04 reached the end of its life on 2025/12/31. It gets no security updates: plan a newer image.",
        "hk: no copy of this source is there",
      ],
      "fail": [
        "hk: uimage-1 is a copy of this source already, and if-exists is fail. Use if-exists: adopt to take it, or copy to make another.",
      ],
      "itself": [
        "cn-bj2: the target is the source itself, so it keeps its name web-1.4.2. An image cannot be copied inside its own project and region.",
        "cn-bj2: the target is the source itself: nothing to copy",
      ],
      "nameless": [
        "target-image-name: the source uimage-x has no name to take over. Give target-image-name: a copy is known again by its name.",
      ],
      "namesakes": [
        "hk: an image of this name is there but is not known as a copy of this source, so it is left alone: uimage-1, uimage-2",
      ],
      "nothingThere": [
        "hk: no copy of this source is there",
      ],
      "oddDates": [
        "hk: no copy of this source is there",
      ],
      "oddTimes": [
        "hk: no copy of this source is there",
      ],
      "otherNames": [
        "hk: copies of this source are there under another name: uimage-1 (other-1), uimage-2 (other-2)",
      ],
      "strangers": [
        "hk: no copy of this source is there",
      ],
      "unusable": [
        "hk: the copy that is there cannot be used: uimage-1 is Unavailable, uimage-2 is Unavailable",
      ],
    }
  `);
});

it('of the end', async () => {
  const slow = ({ cloud }: Scenario) => {
    cloud.copySeconds = { hk: 9_999, sg: 9_999 };
  };
  const silent = ({ cloud }: Scenario) =>
    cloud.fault('CopyCustomImage', (_, __, signal) => {
      const { promise, reject } = Promise.withResolvers();
      signal?.addEventListener('abort', () => reject(signal.reason));
      return promise;
    });
  const cancelled = (ms: number, prepare: (scenario: Scenario) => void) => (scenario: Scenario) => {
    prepare(scenario);
    scenario.cancelAt(ms);
  };
  expect({
    tooLate: await words({ timeout: 1_000 }, ({ cloud }) => {
      cloud.latency = 1_500;
    }),
    still: await words({ timeout: 60_000 }, slow),
    notListed: await words({ timeout: 60_000 }, ({ cloud }) => {
      cloud.listingSeconds = { hk: 9_999 };
    }),
    neverSent: await words({ timeout: 60_000 }, ({ cloud }) =>
      cloud.fault('CopyCustomImage', fails(8980), { times: 9 }),
    ),
    cancelledWaiting: await words({ regions: ['hk', 'sg'] }, cancelled(30_000, slow)),
    cancelledBefore: await words(
      {},
      cancelled(5_000, ({ cloud }) => cloud.fault('CopyCustomImage', fails(8980))),
    ),
    cancelledUnclear: await words(
      {},
      cancelled(5_000, ({ cloud }) => cloud.fault('CopyCustomImage', doneBut(110))),
    ),
    cancelledLooking: await words(
      {},
      cancelled(30_000, ({ cloud }) => cloud.fault('CopyCustomImage', fails(110))),
    ),
    cancelledLost: await words({ regions: ['hk', 'sg'] }, cancelled(350, silent)),
    cancelledLostAlone: await words({}, cancelled(350, silent)),
    defect: await words({ regions: ['hk', 'sg'] }, ({ cloud }) =>
      cloud.fault(
        'DescribeImage',
        () => {
          throw new TypeError('defect');
        },
        { region: 'hk', skip: 1 },
      ),
    ),
    text: await words({}, ({ cloud }) =>
      cloud.fault('CopyCustomImage', () => {
        throw 'a string';
      }),
    ),
  }).toMatchInlineSnapshot(`
    {
      "cancelledBefore": [
        "Cancelled before anything was copied. Run again.",
        "hk: cancelled before a copy was made. Run again.",
        "CopyCustomImage of uimage-source in cn-bj2 failed: the API asks to wait 30 seconds before the next attempt (RetCode 8980, request id request-8980). It is sent again in 30 s.",
        "hk: no copy of this source is there",
      ],
      "cancelledLooking": [
        "Cancelled. A copy may be under way in hk. Run again: a copy that is there is adopted.",
        "hk: cancelled before it was clear whether a copy was made. Run again: a copy that is there is adopted.",
        "It is not clear whether a copy was made in hk: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "hk: no copy of this source is there",
      ],
      "cancelledLost": [
        "Cancelled. A copy may be under way in hk, sg. Run again: a copy that is there is adopted.",
        "hk: cancelled before CopyCustomImage answered, so a copy may have been made. Run again: a copy that is there is adopted.",
        "sg: cancelled before CopyCustomImage answered, so a copy may have been made. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "cancelledLostAlone": [
        "Cancelled. A copy may be under way in hk. Run again: a copy that is there is adopted.",
        "hk: cancelled before CopyCustomImage answered, so a copy may have been made. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
      ],
      "cancelledUnclear": [
        "Cancelled. Still under way in the cloud: uimage-new-hk-1 in hk. Run again: a copy that is there is adopted.",
        "hk: cancelled while uimage-new-hk-1 was Copying. Run again: a copy that is there is adopted.",
        "It is not clear whether a copy was made in hk: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "hk: no copy of this source is there",
      ],
      "cancelledWaiting": [
        "Cancelled. Still under way in the cloud: uimage-new-hk-1 in hk, uimage-new-sg-2 in sg. Run again: a copy that is there is adopted.",
        "hk: cancelled while uimage-new-hk-1 was Copying. Run again: a copy that is there is adopted.",
        "sg: cancelled while uimage-new-sg-2 was Copying. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "defect": [
        "The action itself failed: defect. This is a defect of the action: please report it. Run again: a copy that is there is adopted.",
        "hk: the promotion ended before this target was settled. Run again: a copy that is there is adopted.",
        "sg: the promotion ended before this target was settled. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "neverSent": [
        "hk: no copy was seen before the timeout. The last answer: CopyCustomImage of uimage-source in cn-bj2 failed: the API asks to wait 30 seconds before the next attempt (RetCode 8980, request id request-8980). Re-run the job in a few minutes; if it lasts, give the request id to the vendor's support. Run again: a copy that is there is adopted.",
        "CopyCustomImage of uimage-source in cn-bj2 failed: the API asks to wait 30 seconds before the next attempt (RetCode 8980, request id request-8980). It is sent again in 30 s.",
        "CopyCustomImage of uimage-source in cn-bj2 failed: the API asks to wait 30 seconds before the next attempt (RetCode 8980, request id request-8980). It is sent again in 30 s.",
        "hk: no copy of this source is there",
      ],
      "notListed": [
        "hk: uimage-new-hk-1 is still Copying after the timeout of 1m. Give a longer timeout. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
      ],
      "still": [
        "hk: uimage-new-hk-1 is still Copying after the timeout of 1m. Give a longer timeout. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
      ],
      "text": [
        "The action itself failed: a string. This is a defect of the action: please report it. Run again: a copy that is there is adopted.",
        "hk: the promotion ended before this target was settled. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
      ],
      "tooLate": [
        "The timeout of 1s was over before the first copy. Nothing was copied. Give a longer timeout.",
        "hk: no copy was made within the timeout of 1s. Run again, or give a longer timeout.",
        "hk: no copy of this source is there",
      ],
    }
  `);
});

it('of the wait', async () => {
  const ends =
    (finalState: string) =>
    ({ cloud }: Scenario) => {
      cloud.finalState = { hk: finalState };
    };
  expect({
    unavailable: await words({}, ends('Unavailable')),
    odd: await words({ timeout: 300_000 }, ends('Frozen')),
    differs: await words({}, ({ cloud }) => {
      cloud.differing = { OsName: 'Debian 12', ImageSize: 80, Features: ['IPv6'] };
    }),
    lostFeatures: await words({ source: { imageId: 'uimage-x' } }, ({ cloud }) => {
      cloud.add(image('uimage-x', { Features: ['NetEnhanced', 'Aarch64_Type', 'IPv6'] }));
      cloud.differing = { Features: ['IPv6'] };
    }),
    denied: await words({}, ({ cloud }) =>
      cloud.fault('DescribeImage', fails(174), { region: 'hk', skip: 2 }),
    ),
    deleted: await words({ timeout: 600_000 }, (scenario) => {
      scenario.cloud.copySeconds = { hk: 9_999 };
      scenario.clock.after(60_000, () => scenario.cloud.remove('uimage-new-hk-1'));
    }),
    notListedYet: await words({}, ({ cloud }) => {
      cloud.listingSeconds = { hk: 300 };
    }),
    markLost: await words({}, ({ cloud }) => {
      cloud.describe = () => 'gone';
    }),
  }).toMatchInlineSnapshot(`
    {
      "deleted": [
        "hk: the copy uimage-new-hk-1 was there and is not any more: somebody deleted it. Find out who deletes images in this project, then run again: a new copy is made.",
        "hk: no copy of this source is there",
      ],
      "denied": [
        "hk: uimage-new-hk-1 can no longer be watched: DescribeImage of uimage-new-hk-1 in hk failed: the security token is unknown or has expired (RetCode 174, request id request-174). Get new temporary keys right before this step, valid for longer than its timeout, and set security-token to the token issued with them; leave it empty for permanent keys. With role-urn, re-run the job: the action then asks for new keys. Run again: a copy that is there is adopted.",
        "hk: no copy of this source is there",
      ],
      "differs": [
        "hk: uimage-new-hk-1 is Available but is not its source: OsName is Debian 12, the source's is Ubuntu 24.04; ImageSize is 80, the source's is 40. Do not boot it: make sure that it is deleted, and run again. If it differs again, report both image ids to the vendor.",
        "hk: uimage-new-hk-1 lacks features of its source: NetEnhanced, CloudInit. Boot a test machine from the copy before you release it.",
        "hk: no copy of this source is there",
      ],
      "lostFeatures": [
        "hk: uimage-new-hk-1 lacks features of its source: NetEnhanced, Aarch64_Type. Aarch64_Type marks an arm64 image: a machine of it may not boot. Boot a test machine from the copy before you release it.",
        "hk: no copy of this source is there",
      ],
      "markLost": [
        "The site keeps no mark in the description of a copy (first seen: uimage-new-hk-1 in hk). A later run will not know these copies and would copy again: keep the ids of this one.",
        "hk: no copy of this source is there",
      ],
      "notListedYet": [
        "hk: uimage-new-hk-1 was promised by the API but is not listed yet. It is waited for until the timeout.",
        "hk: no copy of this source is there",
      ],
      "odd": [
        "hk: uimage-new-hk-1 is still Frozen after the timeout of 5m. Give a longer timeout. Run again: a copy that is there is adopted.",
        "The API tells a state that nobody documented: Frozen. It is taken for "still under way". If copies stay in it, ask the vendor what it means.",
        "hk: no copy of this source is there",
      ],
      "unavailable": [
        "hk: the copy uimage-new-hk-1 ended Unavailable. It cannot boot a machine: make sure that it is deleted, and run again. If that fails too, give the vendor its image id and task id.",
        "hk: no copy of this source is there",
      ],
    }
  `);
});

it('of a doubt', async () => {
  expect({
    unclear: await words({ regions: ['hk', 'sg'] }, ({ cloud }) =>
      cloud.fault('CopyCustomImage', fails(110)),
    ),
    unclearForEver: await words({ regions: ['hk', 'sg'] }, ({ cloud }) =>
      cloud.fault('CopyCustomImage', fails(99_999), { times: 99 }),
    ),
    unclearAtTheEnd: await words({ timeout: 60_000 }, ({ cloud }) =>
      cloud.fault('CopyCustomImage', fails(110), { times: 9 }),
    ),
    unclearAndUnmarked: await words({}, ({ cloud }) => {
      cloud.describe = () => 'gone';
      cloud.fault('CopyCustomImage', doneBut(110));
    }),
    withoutId: await words({ timeout: 300_000 }, ({ cloud }) =>
      cloud.fault('CopyCustomImage', () => ({ requestId: 'request-1' }), { times: 9 }),
    ),
    quota: await words({}, ({ cloud }) => {
      cloud.addCopy('hk', { State: 'Unavailable' });
      cloud.fault('CopyCustomImage', fails(8095));
    }),
    ignoresTheList: await words({ regions: ['hk', 'sg'] }, ({ cloud }) => {
      cloud.batch = false;
    }),
    ignoresTheListAtHome: await words({ regions: [HERE, 'hk'] }, ({ cloud }) => {
      cloud.batch = false;
    }),
    strayThatStays: await words({ regions: ['hk', 'sg'] }, ({ cloud }) => {
      cloud.batch = false;
      cloud.fault('TerminateCustomImage', fails(299));
    }),
    uninvited: await words({ regions: ['hk', 'sg'] }, ({ cloud }) => {
      cloud.add(image('uimage-extra'), { region: 'us-ca', projectId: PROD });
      cloud.fault('CopyCustomImage', (execute) => {
        const { Infos } = execute() as { Infos: object[] };
        return { Infos: [...Infos, { TargetRegion: 'us-ca', TargetImageId: 'uimage-extra' }] };
      });
    }),
    sourceNeverReady: await words({}, ({ cloud }) =>
      cloud.fault('CopyCustomImage', fails(8961), { times: 9 }),
    ),
    unclearAndCut: await words({}, ({ cloud }) => {
      cloud.describe = (description) => description.slice(0, 10);
      cloud.fault('CopyCustomImage', doneBut(110));
    }),
    unpaid: await words({}, ({ cloud }) => cloud.fault('CopyCustomImage', fails(8104))),
    sourceDeleted: await words({}, ({ cloud }) =>
      cloud.fault('CopyCustomImage', () => {
        cloud.remove(SOURCE.ImageId);
        throw refused('CopyCustomImage', 8961, HERE);
      }),
    ),
    noBatch: await words({ regions: ['hk', 'sg'] }, ({ cloud }) =>
      cloud.fault('CopyCustomImage', fails(8962)),
    ),
    strayAndCancel: await words({ regions: ['hk', 'sg'] }, (scenario) => {
      scenario.cloud.batch = false;
      scenario.cancelAt(350);
    }),
    unseen: await words({ regions: ['hk', 'sg'] }, ({ cloud }) => {
      cloud.fault('CopyCustomImage', fails(110));
      const late: Parameters<typeof cloud.fault>[1] = (execute, { at, imageIds }) => {
        if (at > 130_000 && imageIds.length === 0) throw refused('DescribeImage', 299);
        return execute();
      };
      cloud.fault('DescribeImage', late, { times: 999 });
    }),
    secondKept: await words({}, ({ cloud }) => {
      const ours = { ImageDescription: markedBy(RUN) };
      const { State: _, ...stateless } = image('uimage-c', { ...ours, CreateTime: 3 });
      cloud.fault('CopyCustomImage', () => {
        const place = { region: 'hk', projectId: PROD };
        cloud.add(image('uimage-b', { ...ours, CreateTime: 2 }), place);
        cloud.add(stateless, place);
        const first = image('uimage-a', { ...ours, CreateTime: 1, State: 'Copying' });
        cloud.add(first, { ...place, settles: 50, finalState: 'Unavailable' });
        cloud.add(image('uimage-d', { ImageDescription: 'x' }), place);
        cloud.add(image('uimage-e', { ImageDescription: 'x' }), place);
        throw refused('CopyCustomImage', 110, HERE);
      });
    }),
    twice: await words({}, (scenario) => {
      scenario.cloud.listingSeconds = { hk: 130 };
      scenario.cloud.fault('CopyCustomImage', doneBut(110));
    }),
  }).toMatchInlineSnapshot(`
    {
      "ignoresTheList": [
        "This site ignores TargetRegionList: it answered with one image, uimage-new-cn-bj2-1 in cn-bj2, instead of 2. The regions are copied to one by one. What becomes of that image is told.",
        "This run made uimage-new-cn-bj2-1 in cn-bj2 without being asked to: it was deleted. Nothing is to be done.",
        "This site answered for 2 regions with one image, uimage-new-cn-bj2-1: looking where it is.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "ignoresTheListAtHome": [
        "It is not clear whether a copy was made in hk: CopyCustomImage answered for 2 regions with one image, uimage-new-cn-bj2-1, so whether a copy was made in hk is not clear. Looking for it for up to 120 s before anything is sent again.",
        "This site answered for 2 regions with one image, uimage-new-cn-bj2-1: looking where it is.",
        "No copy turned up in hk: CopyCustomImage is sent again.",
        "cn-bj2: no copy of this source is there",
        "hk: no copy of this source is there",
      ],
      "noBatch": [
        "This site knows no batch: the regions are copied to one by one.",
        "An earlier CopyCustomImage for hk, sg was refused or unclear: a last look in 50 s makes sure that it made no copy unseen.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "quota": [
        "CopyCustomImage of uimage-source in cn-bj2 failed: the quota of custom images in the target region is used up (RetCode 8095, request id request-8095). Custom images of project org-prod now: 1 in hk. Delete custom images there that nobody needs, or ask the vendor to raise the quota, then re-run the job.",
        "hk: the copy that is there cannot be used: uimage-old-hk is Unavailable",
      ],
      "secondKept": [
        "It is not clear whether a copy was made in hk: CopyCustomImage in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "This run made uimage-a in hk as a second copy: it was deleted. Nothing is to be done.",
        "This run made uimage-c in hk as a second copy: it was deleted. Nothing is to be done.",
        "hk: other images named web-1.4.2 appeared during this run: uimage-d, uimage-e. They carry no mark, so they were left alone. One may be a second copy: delete it if nobody uses it.",
        "An earlier CopyCustomImage for hk was refused or unclear: a last look in 63 s makes sure that it made no copy unseen.",
        "hk: no copy of this source is there",
      ],
      "sourceDeleted": [
        "The source image uimage-source was deleted while it was waited for. Build it again, or name another source.",
        "The source uimage-source is not ready to be copied: waiting until it is Available.",
        "hk: no copy of this source is there",
      ],
      "sourceNeverReady": [
        "CopyCustomImage of uimage-source in cn-bj2 failed: the source image is not Available (RetCode 8961, request id request-8961). Wait until the console shows it as Available; an Unavailable one must be created again.",
        "The source uimage-source is not ready to be copied: waiting until it is Available.",
        "An earlier CopyCustomImage for hk was refused or unclear: a last look in 120 s makes sure that it made no copy unseen.",
        "hk: no copy of this source is there",
      ],
      "strayAndCancel": [
        "Cancelled. Still under way in the cloud: uimage-new-hk-2 in hk, uimage-new-sg-3 in sg. Run again: a copy that is there is adopted.",
        "hk: cancelled while uimage-new-hk-2 was Copying. Run again: a copy that is there is adopted.",
        "sg: cancelled while uimage-new-sg-3 was Copying. Run again: a copy that is there is adopted.",
        "This site ignores TargetRegionList: it answered with one image, uimage-new-cn-bj2-1 in cn-bj2, instead of 2. The regions are copied to one by one. What becomes of that image is told.",
        "This run made uimage-new-cn-bj2-1 in cn-bj2 without being asked to, and it may still be there: the step ended before it was deleted. Delete it by hand.",
        "This site answered for 2 regions with one image, uimage-new-cn-bj2-1: looking where it is.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "strayThatStays": [
        "This site ignores TargetRegionList: it answered with one image, uimage-new-cn-bj2-1 in cn-bj2, instead of 2. The regions are copied to one by one. What becomes of that image is told.",
        "This run made uimage-new-cn-bj2-1 in cn-bj2 without being asked to, and it may still be there: TerminateCustomImage of uimage-new-cn-bj2-1 in cn-bj2 failed: the IAM policy of the key's user does not allow it (RetCode 299, request id request-299). Delete it by hand.",
        "This site answered for 2 regions with one image, uimage-new-cn-bj2-1: looking where it is.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "twice": [
        "It is not clear whether a copy was made in hk: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "This run made uimage-new-hk-1 in hk as a second copy: it was deleted. Nothing is to be done.",
        "No copy turned up in hk: CopyCustomImage is sent again.",
        "hk: no copy of this source is there",
      ],
      "unclear": [
        "It is not clear whether a copy was made in hk, sg: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "No copy turned up in hk, sg: CopyCustomImage is sent again.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "unclearAndCut": [
        "It is not clear whether a copy was made in hk: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "hk: uimage-new-hk-1 appeared under the name web-1.4.2 after an unclear answer, without our mark. It is taken for this run's copy. A rollback will not delete it, and a later run will not know it.",
        "hk: no copy of this source is there",
      ],
      "unclearAndUnmarked": [
        "It is not clear whether a copy was made in hk: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "The site keeps no mark in the description of a copy (first seen: uimage-new-hk-2 in hk). A later run will not know these copies and would copy again: keep the ids of this one.",
        "hk: other images named web-1.4.2 appeared during this run: uimage-new-hk-1. They carry no mark, so they were left alone. One may be a second copy: delete it if nobody uses it.",
        "No copy turned up in hk: CopyCustomImage is sent again.",
        "hk: no copy of this source is there",
      ],
      "unclearAtTheEnd": [
        "hk: no copy was seen before the timeout. The last answer: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Re-run the job in a few minutes; if it lasts, give the request id to the vendor's support. Run again: a copy that is there is adopted.",
        "It is not clear whether a copy was made in hk: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "hk: no copy of this source is there",
      ],
      "unclearForEver": [
        "CopyCustomImage of uimage-source in cn-bj2 failed: the API answered with a return code that this action does not know (RetCode 99999, request id request-99999). Tried 4 times. See the API's own message; the vendor's support can explain the code by the request id.",
        "CopyCustomImage of uimage-source in cn-bj2 failed: the API answered with a return code that this action does not know (RetCode 99999, request id request-99999). Tried 4 times. See the API's own message; the vendor's support can explain the code by the request id.",
        "It is not clear whether a copy was made in hk, sg: CopyCustomImage of uimage-source in cn-bj2 failed: the API answered with a return code that this action does not know (RetCode 99999, request id request-99999). Looking for it for up to 120 s before anything is sent again.",
        "It is not clear whether a copy was made in hk, sg: CopyCustomImage of uimage-source in cn-bj2 failed: the API answered with a return code that this action does not know (RetCode 99999, request id request-99999). Looking for it for up to 120 s before anything is sent again.",
        "It is not clear whether a copy was made in hk, sg: CopyCustomImage of uimage-source in cn-bj2 failed: the API answered with a return code that this action does not know (RetCode 99999, request id request-99999). Looking for it for up to 120 s before anything is sent again.",
        "It is not clear whether a copy was made in hk, sg: CopyCustomImage of uimage-source in cn-bj2 failed: the API answered with a return code that this action does not know (RetCode 99999, request id request-99999). Looking for it for up to 120 s before anything is sent again.",
        "No copy turned up in hk, sg: CopyCustomImage is sent again.",
        "No copy turned up in hk, sg: CopyCustomImage is sent again.",
        "No copy turned up in hk, sg: CopyCustomImage is sent again.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "uninvited": [
        "CopyCustomImage answered with uimage-extra in us-ca, which was not asked for and is not known to carry this run's mark. It was left alone. If it is a copy of this run, delete it by hand.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "unpaid": [
        "CopyCustomImage of uimage-source in cn-bj2 failed: the account has an unpaid order, and copies are blocked until it is settled (RetCode 8104, request id request-8104). Pay or cancel the order in the console's billing pages, then re-run the job.",
        "hk: no copy of this source is there",
      ],
      "unseen": [
        "It is not clear whether a copy was made in hk, sg: CopyCustomImage of uimage-source in cn-bj2 failed: the gateway gave up on the API after 60 seconds (RetCode 110, request id request-110). Looking for it for up to 120 s before anything is sent again.",
        "A second copy of this run may be in cn-bj2, which could not be listed at the end: DescribeImage failed: the IAM policy of the key's user does not allow it (RetCode 299, request id request-299). Look in the console for images whose description names this run.",
        "A second copy of this run may be in hk, which could not be listed at the end: DescribeImage failed: the IAM policy of the key's user does not allow it (RetCode 299, request id request-299). Look in the console for images whose description names this run.",
        "A second copy of this run may be in sg, which could not be listed at the end: DescribeImage failed: the IAM policy of the key's user does not allow it (RetCode 299, request id request-299). Look in the console for images whose description names this run.",
        "No copy turned up in hk, sg: CopyCustomImage is sent again.",
        "hk: no copy of this source is there",
        "sg: no copy of this source is there",
      ],
      "withoutId": [
        "hk: no copy was seen before the timeout. The last answer: CopyCustomImage answered without an image id for hk (request id request-1). Look for the image in the console. Run again: a copy that is there is adopted.",
        "It is not clear whether a copy was made in hk: CopyCustomImage answered without an image id for hk (request id request-1). Looking for it for up to 120 s before anything is sent again.",
        "It is not clear whether a copy was made in hk: CopyCustomImage answered without an image id for hk (request id request-1). Looking for it for up to 120 s before anything is sent again.",
        "It is not clear whether a copy was made in hk: CopyCustomImage answered without an image id for hk (request id request-1). Looking for it for up to 120 s before anything is sent again.",
        "No copy turned up in hk: CopyCustomImage is sent again.",
        "No copy turned up in hk: CopyCustomImage is sent again.",
        "hk: no copy of this source is there",
      ],
    }
  `);
});

it('of what has stopped a promotion', () => {
  const problem = (message: string) => ({ message, advice: 'Do.' });
  const stopped = new Stopped(problem('One.'), problem('Two.'));
  expect([stopped.name, stopped.message]).toEqual(['Stopped', 'One. Two.']);
  expect(refused('GetRegion', 171)).toBeInstanceOf(CloudError);
  expect(broken('GetRegion', 'lost').kind).toBe('lost');
});
