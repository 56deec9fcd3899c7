/** Values at the edge between two branches of the client, each on the side where it belongs. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { getProjects, getRegions } from '../../src/cloud/account.ts';
import { type Attempt, createClient } from '../../src/cloud/client.ts';
import { CloudError, judgeStatus, quote, UNKNOWN_CODE } from '../../src/cloud/errors.ts';
import { createGate } from '../../src/cloud/gate.ts';
import { describeImages, isOwnParameter } from '../../src/cloud/images.ts';
import { createCloud } from '../../src/cloud/index.ts';
import { encode } from '../../src/cloud/signature.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { failure, fakeClient, KEYS } from './fake.ts';

const ROWS = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ ImageId: `uimage-${from + index}` }));
const ids = (images: { ImageId: string }[]) => images.map(({ ImageId }) => ImageId);

describe('an answer', () => {
  it.each([
    [299, '{"RetCode":0}', null],
    [300, '{"RetCode":0}', 'http'],
    [500, '{"RetCode":171}', 'http'],
    [499, '{"RetCode":171}', 'api'],
  ])('of HTTP %i with %s', async (status, raw, kind) => {
    const { client, clock } = fakeClient(() => ({ status, raw }));
    const call = clock.run(client.call('GetRegion', {}));
    if (kind === null) expect((await call).body).toEqual({ RetCode: 0 });
    else expect((await failure(call, CloudError)).kind).toBe(kind);
  });

  it('that is no answer of the API is quoted from its beginning, a message of its own or not', async () => {
    const { client, clock } = fakeClient(() => ({ Message: 'hello', page: 1 }));
    const error = await failure(clock.run(client.call('GetRegion', {})), CloudError);
    expect(error.apiMessage).toBe('{"Message":"hello","page":1}');
  });

  it('may have no request id, and its reader no token and no ear for retries', async () => {
    const clock = new VirtualClock();
    const bodies = ['{"RetCode":130}', '{"RetCode":0}', '{"RetCode":171,"Message":"m"}'];
    const transport = {
      send: async () => ({ status: 200, headers: {}, body: bodies.shift() ?? '' }),
      close: async () => {},
    };
    const { publicKey, privateKey } = KEYS;
    const client = createClient({ url: 'https://api.test/', publicKey, privateKey, clock, transport });
    expect(await clock.run(client.call('GetRegion', {}, { patience: 9_000 }))).toEqual({
      body: { RetCode: 0 },
      requestId: undefined,
    });
    const error = await failure(clock.run(client.call('GetRegion', {})), CloudError);
    expect(error.requestId).toBeNull();
    expect(error.message).toMatch(/\(RetCode 171: "m"\)$/);
  });
});

it('every attempt is told to whoever asks, with what came of it and how long it took', async () => {
  const told: Attempt[] = [];
  const replies = [{ RetCode: 130 }, { status: 502, raw: '' }, { RetCode: 0 }, { RetCode: 171 }];
  const { client, clock } = fakeClient((_, index) => replies[index] as object, {
    latency: 40,
    onAnswer: (attempt) => told.push(attempt),
  });
  await clock.run(client.call('DescribeImage', { Region: 'hk' }, { patience: 60_000 }));
  await failure(clock.run(client.call('GetRegion', { Region: true })), CloudError);
  const outOfOrder = 'the API or a gateway before it is out of order';
  expect(told).toEqual([
    { call: 'DescribeImage', region: 'hk', code: 'RetCode 130', requestId: 'request-0', ms: 40 },
    { call: 'DescribeImage', region: 'hk', code: outOfOrder, requestId: 'request-1', ms: 40 },
    { call: 'DescribeImage', region: 'hk', code: 'RetCode 0', requestId: 'request-2', ms: 40 },
    { call: 'GetRegion', region: undefined, code: 'RetCode 171', requestId: 'request-3', ms: 40 },
  ]);
});

it('a cloud that is closed makes no call', async () => {
  const server = http.createServer((_, response) => response.end('{"RetCode":0}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const cloud = createCloud({ url, ...KEYS, clock: new VirtualClock(), userAgent: 'test', env: {} });
  try {
    expect(await cloud.getRegions()).toEqual([]);
    await cloud.close();
    expect(await failure(cloud.getRegions(), CloudError)).toMatchObject({ kind: 'connection' });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('an error', () => {
  const fields = { call: 'GetRegion', kind: 'http', verdict: 'final', meaning: 'm', advice: 'a' } as const;

  it.each([
    [199, ' (HTTP 199)'],
    [200, ''],
    [299, ''],
    [300, ' (HTTP 300)'],
  ])('names the status %i only when it is no success', (status, words) => {
    expect(new CloudError({ ...fields, status }).message).toBe(`GetRegion failed: m${words}`);
  });

  it.each([
    [399, 'redirect'],
    [400, 'the request was refused before it reached the API'],
    [403, 'the request was refused before it reached the API'],
    [404, 'there is no API at this address'],
    [405, 'there is no API at this address'],
    [406, 'the request was refused before it reached the API'],
    [499, 'the request was refused before it reached the API'],
    [500, 'the API or a gateway before it is out of order'],
  ])('says of HTTP %i: %s', (status, words) => {
    expect(judgeStatus('GetRegion', status).meaning).toContain(words);
  });

  it('says that nobody here knows a code', () => {
    expect(UNKNOWN_CODE.meaning).toBe('the API answered with a return code that is not known here');
  });

  it('quotes up to the limit, without blanks at the ends or half a character', () => {
    expect(quote('  a \n b\t', [])).toBe('a b');
    expect(quote('abcde', [], 5)).toBe('abcde');
    expect(quote('abcdef', [], 5)).toBe('abcd…');
    expect(quote('abc😀ef', [], 5)).toBe('abc…');
    expect(quote('abc', ['', 'b'])).toBe('a***c');
  });
});

describe('the gate', () => {
  it('takes a refusal of the same moment for one of the same burst', () => {
    const clock = new VirtualClock();
    const gate = createGate(clock);
    gate.throttled(clock.now());
    gate.throttled(clock.now());
    expect(gate.remaining()).toBe(1_000);
  });

  it('is not eased by a success of the moment of the refusal', () => {
    const clock = new VirtualClock();
    const gate = createGate(clock);
    gate.throttled(clock.now());
    gate.succeeded(clock.now());
    clock.advance(1);
    gate.throttled(clock.now());
    expect(gate.remaining()).toBe(2_000);
  });

  it('is eased by a success that was sent the moment after another', () => {
    const clock = new VirtualClock();
    const gate = createGate(clock);
    for (let count = 0; count < 4; count++) {
      gate.throttled(clock.now());
      clock.advance(60_000);
    }
    gate.succeeded(clock.now());
    gate.succeeded(clock.now());
    gate.throttled(clock.now());
    expect(gate.remaining()).toBe(4_000);
  });
});

describe('the account', () => {
  it('is asked by the names of the calls', async () => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: 0 }));
    await clock.run(getRegions(client));
    await clock.run(getProjects(client));
    expect(sent.map(({ params }) => params.Action)).toEqual(['GetRegion', 'GetProjectList']);
  });
});

describe('a list of images', () => {
  const list = async (pages: object[], ImageIds?: string[]) => {
    const fake = fakeClient((_, index) => ({ RetCode: 0, ...pages[index] }));
    const query = { Region: 'hk', ...(ImageIds ? { ImageIds } : {}) };
    const images = await fake.clock.run(describeImages(fake.client, query));
    return { found: ids(images), pages: fake.sent.length };
  };

  it('is empty without a set, whatever the total says', async () => {
    expect(await list([{ TotalCount: 5 }])).toEqual({ found: [], pages: 1 });
  });

  it('ends with the last of the images that were asked for', async () => {
    const wanted = ['uimage-0', 'uimage-100', 'uimage-0'];
    expect(
      await list(
        [{ ImageSet: ROWS(0, 100) }, { ImageSet: ROWS(100, 100) }, { ImageSet: ROWS(200, 100) }],
        wanted,
      ),
    ).toEqual({ found: ['uimage-0', 'uimage-100'], pages: 2 });
  });

  it('goes on after a page that holds none of those that were asked for', async () => {
    const pages = [0, 100, 200].map((from) => ({ ImageSet: ROWS(from, 100), TotalCount: 300 }));
    expect(await list(pages, ['uimage-250', 'uimage-251'])).toEqual({
      found: ['uimage-250', 'uimage-251'],
      pages: 3,
    });
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

  it('names the call and what to do when it has no end', async () => {
    const { client, clock } = fakeClient(() => ({ RetCode: 0, TotalCount: 1e9, ImageSet: ROWS(0, 100) }));
    const error = await failure(clock.run(describeImages(client, { Region: 'hk' })), CloudError);
    expect(error.message).toBe(
      'DescribeImage in hk failed: the list of images does not come to an end (100 images after 200 rows)',
    );
    expect(error.advice).toContain("the vendor's support should know");
  });
});

it('a parameter is our own with any index', () => {
  for (const name of ['Region.10', 'TargetRegionList.0.1', 'region.', 'Zone.\n1'])
    expect(isOwnParameter(name)).toBe(true);
  for (const name of ['RegionX', 'X.Region', '']) expect(isOwnParameter(name)).toBe(false);
});

it('a number is written as short as it is', () => {
  expect([0.1, 2.5, 1e21, 1e-7, -0.000_000_25].map(encode)).toEqual([
    '0.1',
    '2.5',
    '1000000000000000000000',
    '0.0000001',
    '-0.00000025',
  ]);
});
