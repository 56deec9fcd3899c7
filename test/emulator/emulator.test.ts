import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type Emulator, type EmulatorOptions, type FaultKind, startEmulator } from './emulator.ts';

type Form = 'get' | 'form' | 'json';
type Value = string | number | boolean | string[];
// biome-ignore lint/suspicious/noExplicitAny: answers are looked into field by field.
type Body = Record<string, any>;

const running: Emulator[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map((emulator) => emulator.close()));
});

async function start(options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator(options);
  running.push(emulator);
  return emulator;
}

/** An emulator whose time stands still until it is told to pass. */
async function startAtNoon(options: EmulatorOptions = {}) {
  let time = Date.parse('2026-11-24T12:00:00Z');
  const emulator = await start({ now: () => time, ...options });
  const pass = (seconds: number) => {
    time += seconds * 1000;
  };
  return { emulator, pass };
}

const dotted = (params: Record<string, Value>): [string, string][] =>
  Object.entries(params).flatMap(([name, value]): [string, string][] =>
    Array.isArray(value)
      ? value.map((item, index): [string, string] => [`${name}.${index}`, item])
      : [[name, String(value)]],
  );

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');

function signed(
  emulator: Emulator,
  params: Record<string, Value>,
  keys = emulator.keys,
): Record<string, Value> {
  const all = { ...params, PublicKey: keys.publicKey };
  const text = dotted(all)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => name + value)
    .join('');
  return { ...all, Signature: sha1(text + keys.privateKey) };
}

function send(emulator: Emulator, params: Record<string, Value>, form: Form = 'form', signal?: AbortSignal) {
  const flat = new URLSearchParams(dotted(params));
  const init = { signal: signal ?? null, redirect: 'manual' } as const;
  if (form === 'get') return fetch(`${emulator.url}?${flat}`, init);
  const headers = { 'Content-Type': 'application/json' };
  if (form === 'json')
    return fetch(emulator.url, { ...init, method: 'POST', headers, body: JSON.stringify(params) });
  return fetch(emulator.url, { ...init, method: 'POST', body: flat });
}

async function call(
  emulator: Emulator,
  action: string,
  params: Record<string, Value> = {},
  form: Form = 'form',
): Promise<Body> {
  return (
    await send(emulator, signed(emulator, { Action: action, ...params }), form)
  ).json() as Promise<Body>;
}

const copy = (emulator: Emulator, params: Record<string, Value> = {}) =>
  call(emulator, 'CopyCustomImage', {
    Region: emulator.region,
    SourceImageId: emulator.sourceImageId,
    TargetProjectId: emulator.projects.target,
    ...params,
  });

const show = async (emulator: Emulator, params: Record<string, Value>): Promise<Body[]> =>
  (await call(emulator, 'DescribeImage', { ProjectId: emulator.projects.target, ...params })).ImageSet;

describe('wire', () => {
  it.each(['get', 'form', 'json'] as const)(
    '%s: any text, numbers and lists arrive as sent',
    async (form) => {
      const emulator = await start();
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            Extra: fc.oneof(
              fc.string({ unit: 'grapheme', minLength: 1 }),
              fc.constantFrom('a+b&c=d%25', ' \t\r\n', '描述 ü 😀'),
            ),
            Number: fc.oneof(fc.integer(), fc.constant(0.25)),
            Flag: fc.boolean(),
            Items: fc.array(fc.string({ minLength: 1 }), { maxLength: 12 }),
          }),
          async (params) => {
            expect((await call(emulator, 'GetRegion', params, form)).RetCode).toBe(0);
            const last = emulator.requests.at(-1);
            for (const [name, value] of dotted(params)) expect(last?.params[name]).toBe(value);
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  it('lets the body win where the URL repeats a parameter', async () => {
    const emulator = await start();
    const body = new URLSearchParams(dotted(signed(emulator, { Action: 'GetRegion' })));
    const response = await fetch(`${emulator.url}?Action=GetProjectList`, { method: 'POST', body });
    expect(await response.json()).toMatchObject({ RetCode: 0, Action: 'GetRegionResponse' });
  });

  it.each<[string, number, (emulator: Emulator) => Record<string, Value>]>([
    ['no Action', 160, (emulator) => signed(emulator, {})],
    ['an unknown Action', 161, (emulator) => signed(emulator, { Action: 'toString' })],
    ['no Signature', 170, (emulator) => ({ Action: 'GetRegion', PublicKey: emulator.keys.publicKey })],
    ['no PublicKey', 220, () => ({ Action: 'GetRegion', Signature: 'x' })],
    [
      'an unknown PublicKey',
      172,
      (emulator) => signed(emulator, { Action: 'GetRegion' }, { publicKey: 'x', privateKey: 'y' }),
    ],
    [
      'another private key',
      171,
      (emulator) => signed(emulator, { Action: 'GetRegion' }, { ...emulator.keys, privateKey: 'y' }),
    ],
    [
      'a parameter that was not signed',
      171,
      (emulator) => ({ ...signed(emulator, { Action: 'GetRegion' }), Extra: 'x' }),
    ],
    [
      'an upper-case signature',
      171,
      (emulator) => {
        const params = signed(emulator, { Action: 'GetRegion' });
        return { ...params, Signature: String(params.Signature).toUpperCase() };
      },
    ],
    [
      'a token with keys that have none',
      174,
      (emulator) => signed(emulator, { Action: 'GetRegion', SecurityToken: 'x' }),
    ],
    [
      'temporary keys without their token',
      174,
      (emulator) => signed(emulator, { Action: 'GetRegion' }, emulator.temporaryKeys),
    ],
    [
      'temporary keys with another token',
      174,
      (emulator) => signed(emulator, { Action: 'GetRegion', SecurityToken: 'x' }, emulator.temporaryKeys),
    ],
    [
      'a token that was not signed',
      171,
      (emulator) => ({
        ...signed(emulator, { Action: 'GetRegion' }, emulator.temporaryKeys),
        SecurityToken: emulator.temporaryKeys.securityToken,
      }),
    ],
  ])('%s: %i', async (_, retCode, params) => {
    const emulator = await start();
    const answer = (await (await send(emulator, params(emulator))).json()) as Body;
    expect(answer.RetCode).toBe(retCode);
    expect(answer.Message).toEqual(expect.any(String));
    expect(emulator.requests[0]?.retCode).toBe(retCode);
  });

  it('takes temporary keys until they expire', async () => {
    const { emulator, pass } = await startAtNoon();
    const params = signed(
      emulator,
      { Action: 'GetRegion', SecurityToken: emulator.temporaryKeys.securityToken },
      emulator.temporaryKeys,
    );
    expect(await (await send(emulator, params)).json()).toMatchObject({ RetCode: 0 });
    pass(900);
    expect(await (await send(emulator, params)).json()).toMatchObject({ RetCode: 174 });
  });

  it.each([
    ['a list instead of an object', 'application/json', '[1]', 230],
    ['broken JSON', 'application/json', '{"Action"', 230],
    ['a name given twice', 'application/x-www-form-urlencoded', 'Action=GetRegion&Action=GetRegion', 230],
  ])('refuses %s', async (_, type, body, retCode) => {
    const emulator = await start();
    const response = await fetch(emulator.url, { method: 'POST', headers: { 'Content-Type': type }, body });
    expect(await response.json()).toMatchObject({ RetCode: retCode });
  });

  it('refuses other methods, other paths and large bodies as a gateway does', async () => {
    const emulator = await start();
    expect((await fetch(emulator.url, { method: 'PUT', body: 'x' })).status).toBe(405);
    expect((await fetch(`${emulator.url}v2`)).status).toBe(404);
    expect((await fetch(emulator.url, { method: 'POST', body: 'x'.repeat(2 ** 20 + 1) })).status).toBe(413);
  });
});

describe('regions and projects', () => {
  it('lists one row a zone, one default region, and enough regions for a batch of 33', async () => {
    const emulator = await start();
    const { Regions } = await call(emulator, 'GetRegion');
    const names = new Set(Regions.map(({ Region }: Body) => Region));
    expect(names.size).toBeGreaterThan(33);
    for (const name of ['cn-bj2', 'hk', 'sg', 'us-ca']) expect(names).toContain(name);
    expect(Regions.filter(({ Region }: Body) => Region === 'hk').map(({ Zone }: Body) => Zone)).toEqual([
      'hk-01',
      'hk-02',
    ]);
    expect(
      new Set(Regions.filter(({ IsDefault }: Body) => IsDefault).map(({ Region }: Body) => Region)),
    ).toEqual(new Set(['cn-bj2']));
  });
});

describe('DescribeImage', () => {
  it('finds an image of the default project, with all its fields', async () => {
    const emulator = await start({ source: { description: '描述', features: ['Aarch64_Type'] } });
    const { ImageSet, TotalCount } = await call(emulator, 'DescribeImage', {
      Region: 'cn-bj2',
      ImageId: emulator.sourceImageId,
    });
    expect(TotalCount).toBe(1);
    expect(ImageSet).toEqual([
      {
        ImageId: emulator.sourceImageId,
        ImageName: 'web-server',
        ImageType: 'Custom',
        ImageSize: 40,
        ImageDescription: '描述',
        State: 'Available',
        OsType: 'Linux',
        OsName: 'Ubuntu 24.04 64bit',
        Features: ['Aarch64_Type'],
        CreateTime: expect.closeTo(Date.now() / 1000, -1),
        DataSnapshotIds: [],
        MaintainEol: '2034/04/30',
        Tag: 'Default',
        Vendor: '',
        Links: '',
        Zone: 'cn-bj2-05',
      },
    ]);
  });

  it('answers an absent image, and one of another project or region, with an empty set', async () => {
    const emulator = await start();
    for (const params of [
      { ImageId: 'uimage-absent' },
      { ImageId: emulator.sourceImageId },
      { 'ImageIds.0': emulator.sourceImageId },
    ]) {
      expect(await show(emulator, { Region: 'cn-bj2', ...params })).toEqual([]);
    }
    expect(await show(emulator, { Region: 'hk', ProjectId: '', ImageId: emulator.sourceImageId })).toEqual(
      [],
    );
  });

  it('filters', async () => {
    const emulator = await start();
    const at = { region: 'hk', projectId: emulator.projects.target };
    const windows = emulator.addImage({ ...at, osType: 'Windows', tag: 'shop', zone: 'hk-01' });
    const linux = emulator.addImage({ ...at });
    const ids = async (params: Record<string, Value>) =>
      (await show(emulator, { Region: 'hk', ...params })).map(({ ImageId }) => ImageId).sort();
    const both = [windows.imageId, linux.imageId].sort();
    expect(await ids({ ImageType: 'Custom' })).toEqual(both);
    expect(await ids({ ImageIds: [...both, 'uimage-x'] })).toEqual(both);
    expect(await ids({ OsType: 'Windows' })).toEqual([windows.imageId]);
    expect(await ids({ Tag: 'shop' })).toEqual([windows.imageId]);
    expect(await ids({ ImageType: 'Custom', Zone: 'hk-02' })).toEqual([linux.imageId]);
    expect(await ids({ ImageType: 'Base' })).toHaveLength(2);
    expect(await ids({})).toHaveLength(5);
  });

  it('pages by 20 unless asked, never by more than its cap, and each image comes once', async () => {
    const emulator = await start();
    for (let count = 0; count < 130; count += 1)
      emulator.addImage({ region: 'hk', projectId: emulator.projects.target });
    const page = (params: Record<string, Value>) =>
      show(emulator, { Region: 'hk', ImageType: 'Custom', ...params });
    expect(await page({})).toHaveLength(20);
    const pages = [await page({ Limit: 200 }), await page({ Limit: 200, Offset: 100 })];
    expect(pages.map(({ length }) => length)).toEqual([100, 30]);
    expect(new Set(pages.flat().map(({ ImageId }) => ImageId)).size).toBe(130);
  });

  it.each([
    [{}, 220, 'Missing params [az_group]'],
    [{ Region: 'hkk' }, 230, 'Region'],
    [{ Region: 'hk', Zone: 'sg-01' }, 230, 'Zone'],
    [{ Region: 'hk', ImageType: 'custom' }, 230, 'ImageType'],
    [{ Region: 'hk', OsType: 'BeOS' }, 230, 'OsType'],
    [{ Region: 'hk', Limit: -1 }, 230, 'Limit'],
    [{ Region: 'hk', Offset: 'x' }, 230, 'Offset'],
    [{ Region: 'hk', 'ImageIds.x': 'a' }, 230, 'ImageIds.x'],
    [{ Region: 'hk', ProjectId: 'org-none' }, 292, 'org-none'],
  ])('%j: %i naming %s', async (params: Record<string, Value>, retCode, named) => {
    const answer = await call(await start(), 'DescribeImage', params);
    expect(answer.RetCode).toBe(retCode);
    expect(answer.Message).toContain(named);
  });
});

describe('CopyCustomImage', () => {
  it('copies to another region of another project; the copy settles in time', async () => {
    const { emulator, pass } = await startAtNoon({
      copySeconds: 60,
      listingDelaySeconds: 1.5,
      source: { dataSnapshotIds: ['bsnap-1'], features: ['IPv6'], osName: 'Debian 12', size: 20 },
    });
    const description = 'Größe & 描述 = 100%+😀';
    const answer = await copy(emulator, {
      TargetRegion: 'hk',
      TargetImageName: 'web',
      TargetImageDescription: description,
      TargetImageTag: 'shop',
      TargetEmail: 'kept, not understood',
    });
    expect(answer).toEqual({
      RetCode: 0,
      Action: 'CopyCustomImageResponse',
      TargetImageId: expect.stringMatching(/^uimage-[a-z0-9]{12}$/),
      TaskId: expect.stringMatching(/^[a-zA-Z]{16}$/),
    });
    expect(emulator.requests[0]?.params.TargetEmail).toBe('kept, not understood');
    const find = () => show(emulator, { Region: 'hk', ImageId: answer.TargetImageId });
    expect(await find()).toEqual([]);
    expect(emulator.images('hk')).toMatchObject([
      { imageId: answer.TargetImageId, listed: false, state: 'Copying', projectId: emulator.projects.target },
    ]);
    pass(1.5);
    expect(await find()).toMatchObject([
      {
        State: 'Copying',
        ImageName: 'web',
        ImageDescription: description,
        Tag: 'shop',
        OsName: 'Debian 12',
        ImageSize: 20,
        Features: ['IPv6'],
        ImageType: 'Custom',
        DataSnapshotIds: [],
      },
    ]);
    pass(58.4);
    expect(await find()).toMatchObject([{ State: 'Copying' }]);
    pass(0.1);
    expect(await find()).toMatchObject([{ State: 'Available' }]);
  });

  it('takes the list by its numbers, wherever they start', async () => {
    const emulator = await start();
    const list = { 'TargetRegionList.10': 'hk', 'TargetRegionList.9': 'sg', 'TargetRegionList.1': 'us-ca' };
    const { Infos } = await copy(emulator, list);
    expect(Infos.map(({ TargetRegion }: Body) => TargetRegion)).toEqual(['us-ca', 'sg', 'hk']);
  });

  it('has settings for single regions, which may change while it runs', async () => {
    const { emulator, pass } = await startAtNoon({
      copySeconds: 10,
      byRegion: {
        hk: { copySeconds: 1, finalState: 'Unavailable' },
        sg: { listingDelaySeconds: 5 },
        'us-ca': { copiesDiffer: { osName: 'CentOS 6' } },
      },
    });
    emulator.settings.byRegion['jpn-tky'] = { copySeconds: Number.POSITIVE_INFINITY };
    await copy(emulator, { TargetRegionList: ['hk', 'sg', 'us-ca', 'jpn-tky'] });
    const state = (region: string) => emulator.images(region)[0];
    pass(1);
    expect(state('hk')?.state).toBe('Unavailable');
    expect(state('sg')).toMatchObject({ state: 'Copying', listed: false });
    pass(9);
    expect(state('sg')).toMatchObject({ state: 'Available', listed: true });
    expect(state('us-ca')).toMatchObject({ osName: 'CentOS 6' });
    pass(1e6);
    expect(state('jpn-tky')?.state).toBe('Copying');
  });

  it.each<[string, Record<string, Value>, number, string?]>([
    ['no region', { Region: '' }, 220, 'az_group'],
    ['no source', { SourceImageId: '' }, 220, 'SourceImageId'],
    ['no target project', { TargetProjectId: '' }, 220, 'TargetProjectId'],
    ['an unknown region', { Region: 'nowhere' }, 230, '[Region]'],
    ['an unknown target region', { TargetRegion: 'nowhere' }, 230, '[TargetRegion]'],
    ['an unknown region in the list', { TargetRegionList: ['hk', 'nowhere'] }, 230, '[TargetRegionList]'],
    ['a list that is not one', { TargetRegionList: 'hk' }, 230, 'TargetRegionList'],
    ['the letter N for an index', { 'TargetRegionList.N': 'hk' }, 230, 'TargetRegionList.N'],
    ['a name with a space', { TargetImageName: 'a b' }, 230, 'TargetImageName'],
    ['a name of 64', { TargetImageName: 'a'.repeat(64) }, 230, 'TargetImageName'],
    ['an unknown project', { ProjectId: 'org-none' }, 292],
    ['an unknown target project', { TargetProjectId: 'org-none' }, 292, 'org-none'],
    ['an absent source', { SourceImageId: 'uimage-absent' }, 8956],
    ["another project's source", { ProjectId: 'org-stage3' }, 8956],
    ['the same place', { TargetProjectId: 'org-build1' }, 8962],
    [
      'the same place in a batch',
      { TargetProjectId: 'org-build1', TargetRegionList: ['hk', 'cn-bj2'] },
      8962,
    ],
  ])('%s is refused, and nothing made', async (_, params, retCode, named = '') => {
    const emulator = await start();
    const answer = await copy(emulator, params);
    expect(answer.RetCode).toBe(retCode);
    expect(answer.Message).toContain(named);
    expect(emulator.images()).toHaveLength(1);
  });
});

describe('AssumeRole', () => {
  const session = { RoleSessionName: 'ci-run.1', DurationSeconds: 900 };

  it('gives keys that hold as long as asked', async () => {
    const { emulator, pass } = await startAtNoon();
    const { Credentials } = await call(emulator, 'AssumeRole', { RoleUrn: emulator.roleUrn, ...session });
    expect(Credentials.Expiration).toBe('2026-11-24T12:15:00.000Z');
    const { AccessKeyId: publicKey, AccessKeySecret: privateKey, SecurityToken } = Credentials;
    const ask = async (token: Record<string, Value>) => {
      const params = signed(emulator, { Action: 'GetRegion', ...token }, { publicKey, privateKey });
      return ((await (await send(emulator, params)).json()) as Body).RetCode;
    };
    expect([await ask({ SecurityToken }), await ask({})]).toEqual([0, 174]);
    expect(await ask({ SecurityToken: emulator.temporaryKeys.securityToken })).toBe(174);
    pass(900);
    expect(await ask({ SecurityToken })).toBe(174);
    expect(emulator.sessions).toMatchObject([emulator.temporaryKeys, { publicKey, privateKey }]);
  });

  it.each<[Record<string, Value>, number, string]>([
    [{ RoleUrn: '' }, 220, 'RoleUrn'],
    [{ RoleUrn: 'role/image-promoter' }, 230, 'RoleUrn'],
    [{ RoleUrn: 'ucs:iam::1:role/other' }, 299, 'ucs:iam::1:role/other'],
    [{ RoleSessionName: 'a b' }, 230, 'RoleSessionName'],
    [{ DurationSeconds: 899 }, 230, 'DurationSeconds'],
    [{ DurationSeconds: 43_201 }, 230, 'DurationSeconds'],
    [{ Policy: 'x'.repeat(2049) }, 230, 'Policy'],
  ])('%j: %i naming %s', async (params, retCode, named) => {
    const emulator = await start();
    const { roleUrn: urn } = emulator;
    const answer = await call(emulator, 'AssumeRole', { RoleUrn: urn, ...session, ...params });
    expect(answer).toMatchObject({ RetCode: retCode, Message: expect.stringContaining(named) });
    expect(answer).not.toHaveProperty('Credentials');
  });
});

describe('TerminateCustomImage', () => {
  it('deletes a copy, even while it is copied; the second time it is not there', async () => {
    const emulator = await start({ copySeconds: 60, listingDelaySeconds: 60 });
    const { TargetImageId: ImageId } = await copy(emulator, { TargetRegion: 'hk' });
    const remove = (params: Record<string, Value>) =>
      call(emulator, 'TerminateCustomImage', { Region: 'hk', ImageId, ...params });
    expect((await remove({})).RetCode).toBe(8956);
    const ProjectId = emulator.projects.target;
    expect(await remove({ ProjectId })).toMatchObject({ RetCode: 0, ImageId });
    expect(emulator.images('hk')).toEqual([]);
    expect((await remove({ ProjectId })).RetCode).toBe(8956);
    expect((await remove({ ProjectId, ImageId: '' })).Message).toContain('ImageId');
  });

  it('is accepted, and carried out later or never, where the site is slow', async () => {
    let now = 1_000_000;
    const emulator = await start({ deleteSeconds: 40, now: () => now });
    const { TargetImageId: ImageId } = await copy(emulator, { TargetRegion: 'hk' });
    const params = { Region: 'hk', ImageId, ProjectId: emulator.projects.target };
    for (let again = 0; again < 2; again++)
      expect((await call(emulator, 'TerminateCustomImage', params)).RetCode).toBe(0);
    now += 39_000;
    expect(emulator.images('hk')).toHaveLength(1);
    now += 1_000;
    expect(emulator.images('hk')).toEqual([]);
    expect((await call(emulator, 'TerminateCustomImage', params)).RetCode).toBe(8956);
  });
});

describe('faults', () => {
  const outcome = async (emulator: Emulator, signal?: AbortSignal): Promise<unknown> => {
    const params = signed(emulator, {
      Action: 'CopyCustomImage',
      Region: 'cn-bj2',
      SourceImageId: emulator.sourceImageId,
      TargetProjectId: emulator.projects.target,
      TargetRegion: 'hk',
    });
    try {
      const response = await send(emulator, params, 'form', signal);
      return [response.status, await response.text()];
    } catch (error) {
      const { name, cause } = error as Error & { cause?: { code?: string } };
      return cause?.code ?? name;
    }
  };

  const kinds: [FaultKind, unknown][] = [
    [{ retCode: 110 }, [200, '{"RetCode":110,"Action":"CopyCustomImageResponse","Message":"Fault 110"}']],
    [{ retCode: 8980, message: 'Wait' }, [200, expect.stringContaining('"Message":"Wait"')]],
    [{ http: 502 }, [502, expect.stringContaining('<html>')]],
    [{ http: 429, body: '{"slow": "down"}' }, [429, '{"slow": "down"}']],
    [{ http: 200, body: '<html>Sign in</html>' }, [200, '<html>Sign in</html>']],
    ['garbage', [200, expect.stringContaining('\u0000')]],
    ['empty', [200, '']],
    ['hang', 'TimeoutError'],
    ['reset', 'ECONNRESET'],
    ['truncated', 'UND_ERR_SOCKET'],
    ['redirect', [307, expect.any(String)]],
  ];
  it.each(kinds)('%j, executed and not', async (kind, expected) => {
    for (const executed of [true, false]) {
      const emulator = await start();
      emulator.faults.push({ action: 'CopyCustomImage', executed, kind });
      expect(await outcome(emulator, kind === 'hang' ? AbortSignal.timeout(200) : undefined)).toEqual(
        expected,
      );
      expect(emulator.images('hk')).toHaveLength(executed ? 1 : 0);
      expect(emulator.faults.pending).toEqual([]);
      expect(emulator.requests[0]).toMatchObject({ fault: kind, ...(executed && { retCode: 0 }) });
      expect(await outcome(emulator)).toMatchObject([200, expect.stringContaining('TargetImageId')]);
    }
  });

  it('close ends calls that hang or wait', async () => {
    const emulator = await startEmulator({ latencyMs: 60_000 });
    emulator.faults.push({ action: 'GetRegion', executed: false, kind: 'hang' });
    const waiting = Promise.allSettled(
      ['GetRegion', 'GetProjectList'].map((action) => call(emulator, action)),
    );
    while (emulator.requests.length < 2) await new Promise((resolve) => setImmediate(resolve));
    await emulator.close();
    expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

describe('inspection', () => {
  it('adds and deletes images, and records what was sent', async () => {
    const emulator = await start();
    const image = emulator.addImage({
      imageId: 'uimage-mine',
      region: 'sg',
      createTime: 7,
      listedInSeconds: 60,
    });
    expect(image).toMatchObject({ imageId: 'uimage-mine', createTime: 7, state: 'Available', listed: false });
    expect(() => emulator.addImage({ imageId: 'uimage-mine' })).toThrow('uimage-mine');
    expect(() => emulator.addImage({ region: 'nowhere' })).toThrow('nowhere');
    emulator.deleteImage('uimage-mine');
    expect(() => emulator.deleteImage('uimage-mine')).toThrow('uimage-mine');
    expect(() => emulator.setState('uimage-mine', 'Making')).toThrow('uimage-mine');
    const params = signed(emulator, { Action: 'GetRegion' });
    await send(emulator, params, 'get');
    expect(emulator.requests).toMatchObject([
      {
        action: 'GetRegion',
        method: 'GET',
        params,
        url: expect.stringContaining('/?Action=GetRegion&'),
        headers: { host: new URL(emulator.url).host },
        retCode: 0,
      },
    ]);
  });
});

describe('command line', () => {
  const launch = (...args: string[]) => {
    const cli = fileURLToPath(new URL('cli.ts', import.meta.url));
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const lines = async (count: number) => {
      while (output.split('\n').length <= count) await once(child.stdout, 'data');
      return output.trimEnd().split('\n');
    };
    return { child, lines, output: () => output };
  };

  // Windows knows no signals: there the process just ends.
  const signals = process.platform === 'win32' ? [] : (['SIGINT', 'SIGTERM'] as const);
  it.each(signals)('prints its environment, and stops at %s', async (signal) => {
    const { child, lines } = launch('--copy-seconds', '0.5');
    const env = Object.fromEntries(
      (await lines(7)).map((line) => /^export ([A-Z_]+)='([^']+)'$/.exec(line)?.slice(1) ?? [line, '']),
    );
    expect(Object.keys(env)).toEqual([
      'UCLOUD_API_BASE_URL',
      'UCLOUD_PUBLIC_KEY',
      'UCLOUD_PRIVATE_KEY',
      'UCLOUD_REGION',
      'UCLOUD_PROJECT_ID',
      'EMULATOR_TARGET_PROJECT_ID',
      'EMULATOR_SOURCE_IMAGE_ID',
    ]);
    const keys = { publicKey: env.UCLOUD_PUBLIC_KEY ?? '', privateKey: env.UCLOUD_PRIVATE_KEY ?? '' };
    const there = { url: env.UCLOUD_API_BASE_URL ?? '', keys } as Emulator;
    const { ImageSet } = await call(there, 'DescribeImage', {
      Region: env.UCLOUD_REGION ?? '',
      ProjectId: env.UCLOUD_PROJECT_ID ?? '',
      ImageId: env.EMULATOR_SOURCE_IMAGE_ID ?? '',
    });
    expect(ImageSet).toMatchObject([{ State: 'Available', ImageType: 'Custom' }]);
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.each([['--port', 'x'], ['--copy-seconds', '-1'], ['--unknown']])(
    '%s %s is a mistake',
    async (...args) => {
      const { child, output } = launch(...args);
      expect(await once(child, 'exit')).toEqual([2, null]);
      expect(output()).toBe('');
    },
  );
});
