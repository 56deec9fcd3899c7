import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attempt, createClient } from '../../src/cloud/client.ts';
import { CloudError } from '../../src/cloud/errors.ts';
import { TransportError } from '../../src/cloud/explain.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { failure, fakeClient, KEYS } from './fake.ts';

const OK = { RetCode: 0, Action: 'GetRegionResponse' };
const HOUR = 3_600_000;

describe('a request', () => {
  it('is a form with dotted lists, plain values, the keys and their signature', async () => {
    const { client, clock, sent } = fakeClient(() => OK);
    const params = { Region: 'hk', Limit: 100, Deep: true, ImageIds: ['b', 'a'], Zone: undefined };
    await clock.run(client.call('DescribeImage', params));
    const { Signature, ...signed } = sent[0]?.params ?? {};
    expect(signed).toEqual({
      Action: 'DescribeImage',
      Region: 'hk',
      Limit: '100',
      Deep: 'true',
      'ImageIds.0': 'b',
      'ImageIds.1': 'a',
      PublicKey: KEYS.publicKey,
      SecurityToken: KEYS.securityToken,
    });
    const text =
      'ActionDescribeImageDeeptrueImageIds.0bImageIds.1aLimit100PublicKeypublic-canaryRegionhk' +
      'SecurityTokentoken-canaryprivate-canary';
    expect(Signature).toBe(createHash('sha1').update(text).digest('hex'));
  });

  it.each(['', undefined])('has no SecurityToken without temporary keys (%j)', async (securityToken) => {
    const { client, clock, sent } = fakeClient(() => OK, { securityToken });
    await clock.run(client.call('GetRegion', {}));
    expect(Object.keys(sent[0]?.params ?? {}).sort()).toEqual(['Action', 'PublicKey', 'Signature']);
  });

  it('cannot have its call or its keys replaced by a parameter', async () => {
    const { client, clock, sent } = fakeClient(() => OK);
    await clock.run(client.call('GetRegion', { Action: 'Evil', PublicKey: 'x', Signature: 'y' }));
    expect(sent[0]?.params).toMatchObject({ Action: 'GetRegion', PublicKey: KEYS.publicKey });
    const text = 'ActionGetRegionPublicKeypublic-canarySecurityTokentoken-canaryprivate-canary';
    expect(sent[0]?.params.Signature).toBe(createHash('sha1').update(text).digest('hex'));
  });

  it('carries the channel key of a brand in a header, unsigned, and no such header without one', async () => {
    const channelKey = 'ch_canary';
    const cases: [{ channelKey?: string }, object][] = [
      [{ channelKey }, { 'channel-key': channelKey }],
      [{ channelKey: '' }, {}],
      [{}, {}],
    ];
    for (const [options, headers] of cases) {
      const { client, clock, sent } = fakeClient(() => ({ RetCode: 174, Message: 'no ch_canary' }), options);
      const error = await failure(clock.run(client.call('GetRegion', {})), CloudError);
      expect(sent[0]?.headers).toEqual(headers);
      const text = 'ActionGetRegionPublicKeypublic-canarySecurityTokentoken-canaryprivate-canary';
      expect(sent[0]?.params.Signature).toBe(createHash('sha1').update(text).digest('hex'));
      expect(error.message.includes('canary')).toBe(!options.channelKey);
    }
  });

  it('waits 90 s for a copy and 30 s for anything else, and none but a read may be sent twice', async () => {
    const { client, clock, sent } = fakeClient(() => OK);
    for (const action of ['CopyCustomImage', 'DescribeImage', 'TerminateCustomImage']) {
      await clock.run(client.call(action, {}));
    }
    expect(sent.map(({ timeout, once }) => [timeout, once])).toEqual([
      [90_000, true],
      [30_000, false],
      [30_000, true],
    ]);
  });
});

describe('an answer', () => {
  it.each([0, '0'])('with RetCode %j is a success and carries its request id', async (RetCode) => {
    const { client, clock } = fakeClient(() => ({ RetCode, TaskId: 't' }));
    const answer = await clock.run(client.call('CopyCustomImage', {}));
    expect(answer).toEqual({ body: { RetCode, TaskId: 't' }, requestId: 'request-0' });
  });

  const html = '<html><title>502 Bad\n Gateway</title></html>';
  it.each([
    // status, body, kind, reads, copy, code, what it says
    [
      500,
      html,
      'http',
      'retry',
      'ambiguous',
      null,
      'HTTP 500: "<html><title>502 Bad Gateway</title></html>"',
    ],
    [502, '', 'http', 'retry', 'ambiguous', null, '(HTTP 502, request id request-0)'],
    [503, '{"RetCode":171,"Message":"m"}', 'http', 'retry', 'ambiguous', 171, 'HTTP 503, RetCode 171: "m"'],
    [500, '{"RetCode":0}', 'http', 'retry', 'ambiguous', null, 'HTTP 500'],
    [429, 'slow down', 'http', 'retry', 'retry', null, 'HTTP 429: "slow down"'],
    [429, '{"RetCode":171}', 'http', 'retry', 'retry', 171, 'HTTP 429, RetCode 171'],
    [301, '', 'http', 'final', 'final', null, 'redirect'],
    [308, '', 'http', 'final', 'final', null, 'redirect'],
    [304, '', 'http', 'final', 'final', null, 'refused on its way'],
    [400, html, 'http', 'final', 'final', null, 'HTTP 400'],
    [
      400,
      '{"RetCode":8961,"Message":"m"}',
      'api',
      'final',
      'source-pending',
      8961,
      'HTTP 400, RetCode 8961: "m"',
    ],
    [403, '{"RetCode":153}', 'api', 'retry', 'retry', 153, 'HTTP 403, RetCode 153'],
    [400, '{"RetCode":99999}', 'http', 'final', 'final', 99999, 'HTTP 400, RetCode 99999'],
    [400, '{"RetCode":0}', 'http', 'final', 'final', null, 'HTTP 400'],
    [404, '', 'http', 'final', 'final', null, 'there is no API at this address'],
    [407, '', 'http', 'final', 'final', null, 'HTTP 407'],
    [408, '', 'http', 'retry', 'ambiguous', null, 'HTTP 408'],
    [200, html, 'unreadable', 'retry', 'ambiguous', null, '("<html>'],
    [200, '', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [200, '{"RetCode":0', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [200, '[]', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [200, 'null', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [200, '{}', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [200, '{"RetCode":null}', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [200, '{"RetCode":"zero"}', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [200, '{"RetCode":0.5}', 'unreadable', 'retry', 'ambiguous', null, 'no JSON with a RetCode'],
    [204, '{"RetCode":"171"}', 'api', 'final', 'final', 171, '(RetCode 171'],
    [200, '{"RetCode":-1}', 'api', 'final', 'ambiguous', -1, 'RetCode -1'],
    [200, '{"RetCode":230,"Message":{"a":1}}', 'api', 'final', 'final', 230, '(RetCode 230, request id'],
  ])('HTTP %i with %s', async (status, raw, kind, reads, copy, code, words) => {
    for (const [action, verdict] of [
      ['DescribeImage', reads],
      ['CopyCustomImage', copy],
    ] as const) {
      const { client, clock } = fakeClient(() => ({ status, raw }));
      const error = await failure(clock.run(client.call(action, {})), CloudError);
      expect(error).toMatchObject({ kind, verdict, code, slow: status === 429 || code === 153 });
      expect(error.message).toContain(words);
      expect(error.message).not.toContain('\n');
      expect(error.advice).not.toBe('');
    }
  });

  it.each([
    [false, false, 'connection', 'retry', 'retry'],
    [true, false, 'lost', 'retry', 'ambiguous'],
    [false, true, 'connection', 'final', 'final'],
  ])('that never came (reached %s, final %s)', async (reached, final, kind, reads, copy) => {
    for (const [action, verdict] of [
      ['DescribeImage', reads],
      ['CopyCustomImage', copy],
    ] as const) {
      const { client, clock } = fakeClient(() => {
        throw new TransportError({ message: 'gone', advice: 'Look.', final }, reached);
      });
      const error = await failure(clock.run(client.call(action, {})), CloudError);
      expect(error).toMatchObject({ kind, verdict, decisive: final, advice: 'Look.', meaning: 'gone' });
    }
  });

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
    expect(error.message).toContain('"{"Message":"hello","page":1}"');
  });

  it.each([
    [200, { 'content-encoding': 'BR' }, '\ufffd\ufffd', 'br'],
    [200, {}, '\u001f\ufffd\ufffd', 'gzip'],
    [200, { 'content-encoding': 'identity' }, '\u001f\ufffd\ufffd', 'gzip'],
  ])('that came compressed is called so', async (status, headers, raw, name) => {
    const { client, clock } = fakeClient(() => ({ status, headers, raw }));
    const error = await failure(clock.run(client.call('CopyCustomImage', {})), CloudError);
    expect(error).toMatchObject({
      kind: 'unreadable',
      verdict: 'ambiguous',
      message: `CopyCustomImage failed: the answer is compressed (${name}), though it was asked for as it is (request id request-0)`,
      advice: 'Check which proxy stands between the runner and the API, and turn its compression off.',
    });
    const plain = fakeClient(() => ({ status, headers, raw: '{"RetCode":171}' }));
    const read = plain.clock.run(plain.client.call('GetRegion', {}));
    expect(await failure(read, CloudError)).toMatchObject({ kind: 'api', code: 171 });
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

  it('is told to whoever asks after every attempt, with what came of it and how long it took', async () => {
    const told: Attempt[] = [];
    const replies = [{ RetCode: 130 }, { status: 502, raw: '' }, { RetCode: 0 }, { RetCode: 171 }];
    const { client, clock } = fakeClient((_, index) => replies[index] as object, {
      latency: 40.4,
      onAnswer: (attempt) => told.push(attempt),
    });
    await clock.run(client.call('DescribeImage', { Region: 'hk' }, { patience: 60_000 }));
    await failure(clock.run(client.call('GetRegion', { Region: true })), CloudError);
    const outOfOrder = 'the API, or a gateway in front of it, is out of order';
    expect(told).toEqual([
      { call: 'DescribeImage', region: 'hk', code: 'RetCode 130', requestId: 'request-0', ms: 40 },
      { call: 'DescribeImage', region: 'hk', code: outOfOrder, requestId: 'request-1', ms: 40 },
      { call: 'DescribeImage', region: 'hk', code: 'RetCode 0', requestId: 'request-2', ms: 40 },
      { call: 'GetRegion', region: undefined, code: 'RetCode 171', requestId: 'request-3', ms: 40 },
    ]);
  });

  it('of any shape is an answer or a CloudError', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string(),
        fc.json(),
        fc.integer({ min: 200, max: 599 }),
        async (raw, json, status) => {
          for (const body of [raw, json, `{"RetCode":${json},"Message":${json}}`]) {
            const { client, clock } = fakeClient(() => ({ status, raw: body }));
            try {
              await clock.run(client.call('CopyCustomImage', {}));
            } catch (error) {
              expect(error).toBeInstanceOf(CloudError);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('patience', () => {
  it('without any makes one attempt', async () => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: 130 }));
    await failure(clock.run(client.call('DescribeImage', {})), CloudError);
    expect(sent).toHaveLength(1);
  });

  it('repeats until an answer comes, and tells of one outage once, in whatever regions and ways it shows', async () => {
    const { client, clock, sent, retries } = fakeClient(({ at }, index) => {
      if (at > 20_000 && at < 300_000) return OK;
      return index % 2 ? { RetCode: 8022 } : { status: 502, raw: '' };
    });
    const call = (Region: string) => client.call('DescribeImage', { Region }, { patience: HOUR });
    await clock.run(Promise.all(['hk', 'sg', 'us-ca'].map(call)));
    expect(sent.length).toBeGreaterThan(6);
    expect(retries).toEqual([{ code: null, kind: 'http', delay: expect.any(Number) }]);
    clock.advance(300_000);
    await failure(clock.run(call('hk')), CloudError);
    expect(retries).toHaveLength(2);
  });

  it('tells for how long it goes on', async () => {
    for (const [RetCode, left] of [
      [130, 120_000],
      [8980, 120_000],
      [153, HOUR],
    ]) {
      const told: number[] = [];
      const reply = (_: unknown, index: number) => (index === 0 ? { RetCode } : OK);
      const { client, clock } = fakeClient(reply, { onRetry: ({ left }) => told.push(left) });
      await clock.run(client.call('DescribeImage', {}, { patience: HOUR }));
      expect(told).toEqual([left]);
    }
  });

  it('backs off exponentially with full jitter, to 20 s at most', async () => {
    const longest: number[] = [];
    const shortest: number[] = [];
    for (let seed = 1; seed <= 200; seed++) {
      const { client, clock, sent } = fakeClient((_, index) => (index < 8 ? { RetCode: 130 } : OK), {
        clock: new VirtualClock({ seed }),
      });
      await clock.run(client.call('DescribeImage', {}, { patience: HOUR }));
      sent.slice(1).forEach(({ at }, index) => {
        const delay = at - (sent[index]?.at ?? 0);
        longest[index] = Math.max(longest[index] ?? 0, delay);
        shortest[index] = Math.min(shortest[index] ?? delay, delay);
      });
    }
    [1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000].forEach((cap, index) => {
      expect(longest[index]).toBeLessThanOrEqual(cap + 1e-3);
      expect(longest[index]).toBeGreaterThan(cap * 0.9);
      expect(shortest[index]).toBeLessThan(cap * 0.1);
    });
  });

  it('ends in the last error, and no attempt starts after its end', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      for (const code of [130, 153]) {
        const { client, clock, sent } = fakeClient(() => ({ RetCode: code }), {
          clock: new VirtualClock({ seed }),
        });
        const error = await failure(
          clock.run(client.call('DescribeImage', {}, { patience: 60_000 })),
          CloudError,
        );
        expect(error).toMatchObject({ code, verdict: 'retry' });
        expect(sent.length).toBeGreaterThan(2);
        expect(sent.at(-1)?.at).toBeLessThanOrEqual(60_000);
      }
    }
  });

  it('waits the 30 s that 8980 asks for', async () => {
    const { client, clock, sent } = fakeClient((_, index) => (index === 0 ? { RetCode: 8980 } : OK));
    await clock.run(client.call('TerminateCustomImage', {}, { patience: HOUR }));
    expect(sent[1]?.at).toBe(30_000);
  });

  it('ends at once when what must be waited for is longer', async () => {
    for (const RetCode of [8980, 153]) {
      const { client, clock, sent } = fakeClient(() => ({ RetCode }));
      await failure(clock.run(client.call('DescribeImage', {}, { patience: 900 })), CloudError);
      expect(sent).toHaveLength(1);
      expect(clock.elapsed).toBe(0);
    }
  });

  it('starts nothing after its end, though another call has been throttled meanwhile', async () => {
    const told: string[] = [];
    const { client, clock, sent } = fakeClient(
      ({ params }) =>
        params.Action === 'GetRegion'
          ? { status: 429, raw: '', headers: { 'retry-after': '30' } }
          : { RetCode: 130 },
      { onAnswer: ({ call }) => told.push(call) },
    );
    const read = failure(client.call('DescribeImage', {}, { patience: 10_000 }), CloudError);
    await clock.run(Promise.all([read, client.call('GetRegion', {}).catch(() => {})]));
    expect((await read).code).toBe(130);
    expect(sent).toHaveLength(2);
    expect(told).toEqual(['DescribeImage', 'GetRegion']);
  });

  it('is no use against a final error', async () => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: 171 }));
    await failure(clock.run(client.call('DescribeImage', {}, { patience: HOUR })), CloudError);
    expect(sent).toHaveLength(1);
  });

  it('covers connections that were lost or never made, and 5xx', async () => {
    const { client, clock, sent } = fakeClient((_, index) => {
      if (index === 0) throw new TransportError({ message: 'a', advice: 'b' }, false);
      if (index === 1) throw new TransportError({ message: 'a', advice: 'b' }, true);
      return index === 2 ? { status: 503, raw: 'x' } : index === 3 ? { status: 200, raw: 'x' } : OK;
    });
    await clock.run(client.call('DescribeImage', {}, { patience: HOUR }));
    expect(sent).toHaveLength(5);
  });

  const date = (ms: number) => new Date(new VirtualClock().start + ms).toUTCString();
  it.each([
    [503, '7', 7_000],
    [503, date(600_000), 600_000],
    [429, ' 40 ', 40_000],
    [429, date(40_000), 40_000],
    [502, '7', null],
    [503, 'soon', null],
    [503, '0', null],
    [503, '-7', null],
    [503, date(-5_000), null],
  ])('of HTTP %i waits as long as Retry-After %j asks, if the caller can', async (status, value, wait) => {
    const headers = { 'retry-after': value };
    const reply = (_: unknown, index: number) => (index === 0 ? { status, raw: '', headers } : OK);
    const { client, clock, sent } = fakeClient(reply);
    await clock.run(client.call('DescribeImage', {}, { patience: wait ?? HOUR }));
    if (wait === null) expect(sent[1]?.at).toBeLessThanOrEqual(1_000);
    else expect(sent[1]?.at).toBe(wait);
    const hurried = fakeClient(reply);
    const call = hurried.client.call('DescribeImage', {}, { patience: (wait ?? 0) - 1 });
    const error = await failure(hurried.clock.run(call), CloudError);
    const asks = wait === null ? undefined : `; it asks for a pause of ${wait / 1_000} s`;
    expect(error.message.match(/; it asks [^(]+ s/)?.[0]).toBe(asks);
    expect(hurried.clock.elapsed).toBe(0);
  });

  it.each([
    [{ RetCode: 99_999 }, 99_999],
    [{ RetCode: 230 }, 230],
    [{ RetCode: 295 }, 295],
    [{ status: 403, raw: '<html>' }, null],
    [{ status: 404, raw: '' }, null],
  ])('that persists repeats what may pass, such as %j', async (answer, code) => {
    const { client, clock, sent } = fakeClient((_, index) => (index < 3 ? answer : OK));
    const call = (persist: boolean) => client.call('DescribeImage', {}, { patience: HOUR, persist });
    expect(await failure(clock.run(call(false)), CloudError)).toMatchObject({ code, decisive: false });
    await clock.run(call(true));
    expect(sent).toHaveLength(4);
    const forever = fakeClient(() => answer);
    const call2 = forever.client.call('DescribeImage', {}, { patience: HOUR, persist: true });
    expect((await failure(forever.clock.run(call2), CloudError)).code).toBe(code);
    expect(forever.clock.elapsed).toBeLessThanOrEqual(120_000);
    expect(forever.sent.length).toBeGreaterThan(5);
  });

  it.each([
    ...[160, 161, 170, 171, 172, 174, 294, 299].map((RetCode) => ['DescribeImage', { RetCode }] as const),
    ['TerminateCustomImage', { RetCode: 295 }] as const,
    ['DescribeImage', new TransportError({ message: 'a', advice: 'b', final: true }, false)] as const,
  ])('that persists does not repeat what cannot pass: %s %j', async (action, answer) => {
    const { client, clock, sent } = fakeClient(() => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
    const call = client.call(action, {}, { patience: HOUR, persist: true });
    expect((await failure(clock.run(call), CloudError)).decisive).toBe(true);
    expect(sent).toHaveLength(1);
  });

  it.each([130, 153, 8980, 8961, 8022])('never repeats a copy (%d)', async (code) => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: code }));
    await failure(clock.run(client.call('CopyCustomImage', {}, { patience: HOUR })), CloudError);
    expect(sent).toHaveLength(1);
  });

  it('ends at once when the caller gives up, with the reason', async () => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: 130 }));
    const controller = new AbortController();
    const reason = new Error('cancelled');
    clock.after(5_000, () => controller.abort(reason));
    const options = { patience: HOUR, signal: controller.signal };
    await expect(clock.run(client.call('DescribeImage', {}, options))).rejects.toBe(reason);
    expect(clock.elapsed).toBe(5_000);
    const count = sent.length;
    await expect(clock.run(client.call('GetRegion', {}, options))).rejects.toBe(reason);
    expect(sent).toHaveLength(count);
  });

  it('lets through what is no error of the cloud', async () => {
    const bug = new TypeError('bug');
    const { client, clock, sent } = fakeClient(() => {
      throw bug;
    });
    const call = client.call('GetRegion', {}, { patience: HOUR, persist: true });
    await expect(clock.run(call)).rejects.toBe(bug);
    expect(sent).toHaveLength(1);
  });
});

describe('a copy with a signal for as long as it is unsent', () => {
  function copy() {
    const [answered, unsent] = [new AbortController(), new AbortController()];
    const fake = fakeClient(() => ({ RetCode: 0, TaskId: 't' }), { latency: 5_000 });
    const options = { signal: answered.signal, unsent: unsent.signal };
    return { ...fake, answered, unsent, send: () => fake.client.call('CopyCustomImage', {}, options) };
  }

  it('is never sent when the signal came before it, though no throttle is in the way', async () => {
    const { clock, unsent, send, sent } = copy();
    unsent.abort('too late');
    await expect(clock.run(send())).rejects.toBe('too late');
    expect(sent).toEqual([]);
  });

  it('goes on when the signal comes on its way, and its answer is known', async () => {
    const { clock, unsent, send, sent } = copy();
    clock.after(1_000, () => unsent.abort('too late'));
    expect((await clock.run(send())).body).toEqual({ RetCode: 0, TaskId: 't' });
    expect(unsent.signal.aborted).toBe(true);
    expect(clock.elapsed).toBe(5_000);
    expect(sent).toHaveLength(1);
  });

  it('is ended on its way by the other signal', async () => {
    const { clock, answered, unsent, send, sent } = copy();
    clock.after(1_000, () => unsent.abort('too late'));
    clock.after(2_000, () => answered.abort('enough'));
    await expect(clock.run(send())).rejects.toBe('enough');
    expect(clock.elapsed).toBe(2_000);
    expect(sent).toHaveLength(1);
  });
});

describe('a throttle', () => {
  it('makes every call of the client wait, a copy the least and a poll the most', async () => {
    const [reads, polls] = [false, true].map(async (persist) => {
      const { client, clock, sent } = fakeClient((_, index) => (index === 0 ? { RetCode: 153 } : OK));
      await failure(clock.run(client.call('GetRegion', {})), CloudError);
      const calls = [...Array(20).fill('DescribeImage'), 'CopyCustomImage'];
      await clock.run(Promise.all(calls.map((action) => client.call(action, {}, { persist }))));
      expect(sent[1]?.params.Action).toBe('CopyCustomImage');
      expect(sent[1]?.at).toBeGreaterThanOrEqual(1_000);
      expect(sent[1]?.at).toBeLessThanOrEqual(2_000);
      return clock.elapsed;
    });
    expect(await polls).toBeGreaterThan(1.3 * ((await reads) ?? 0));
  });

  it('tells how long it holds up a call', async () => {
    const { client, clock, sent, retries } = fakeClient((_, index) => (index === 0 ? { RetCode: 153 } : OK));
    await clock.run(client.call('GetRegion', {}, { patience: HOUR }));
    expect(retries).toEqual([{ code: 153, kind: 'api', delay: expect.closeTo(sent[1]?.at ?? 0, 3) }]);
  });

  it('that is longer than another call can wait ends that one at once, and is its reason', async () => {
    const headers = { 'retry-after': '99999999' };
    const { client, clock, sent } = fakeClient(() => ({ status: 429, raw: '', headers }));
    await failure(clock.run(client.call('GetRegion', {})), CloudError);
    const call = (patience: number) => client.call('DescribeImage', { Region: 'hk' }, { patience });
    expect(await failure(clock.run(call(10_000)), CloudError)).toMatchObject({
      message: expect.stringMatching(/^DescribeImage in hk failed: .*; it asks for a pause of 86400 s/),
      slow: true,
    });
    expect([sent.length, clock.elapsed]).toEqual([1, 0]);
    await failure(clock.run(call(25 * HOUR)), CloudError);
    expect(sent[1]?.at).toBe(24 * HOUR);
  });

  it('that is a little longer than a call can wait is waited for: a last read is worth it', async () => {
    const headers = { 'retry-after': '60' };
    const { client, clock, sent } = fakeClient((_, index) =>
      index === 0 ? { status: 429, raw: '', headers } : OK,
    );
    await failure(clock.run(client.call('GetRegion', {})), CloudError);
    await clock.run(client.call('DescribeImage', {}, { patience: 30_000 }));
    expect(sent[1]?.at).toBe(60_000);
  });

  it.each(['signal', 'unsent'])('does not hold up a caller who gives up by `%s`', async (by) => {
    const { client, clock, sent } = fakeClient(() => ({ RetCode: 153 }));
    await failure(clock.run(client.call('GetRegion', {})), CloudError);
    const controller = new AbortController();
    clock.after(300, () => controller.abort('enough'));
    const options = { signal: new AbortController().signal, [by]: controller.signal };
    const call = client.call('CopyCustomImage', {}, options);
    await expect(clock.run(call)).rejects.toBe('enough');
    expect(clock.elapsed).toBe(300);
    await clock.run(clock.sleep(HOUR));
    expect(sent).toHaveLength(1);
  });

  it('by HTTP 429 is the same', async () => {
    const { client, clock, sent } = fakeClient((_, index) => (index === 0 ? { status: 429, raw: '' } : OK));
    await clock.run(client.call('GetRegion', {}, { patience: HOUR }));
    expect(sent[1]?.at).toBeGreaterThanOrEqual(1_000);
  });

  it('counts once for calls that were on their way together', async () => {
    const { client, clock, sent } = fakeClient((_, index) => (index < 8 ? { RetCode: 153 } : OK), {
      latency: 50,
    });
    const calls = Array.from({ length: 8 }, () => client.call('DescribeImage', {}, { patience: HOUR }));
    await clock.run(Promise.all(calls));
    const again = sent.slice(8).map(({ at }) => at);
    expect(again).toHaveLength(8);
    expect(new Set(again.map(Math.round)).size).toBe(8);
    expect(Math.min(...again)).toBeGreaterThanOrEqual(1_050);
    expect(Math.max(...again)).toBeLessThanOrEqual(12_000);
  });

  it('lets 33 calls through a site that takes 5 a second, in the end', async () => {
    const taken: number[] = [];
    const { client, clock, sent } = fakeClient(
      ({ at }) => {
        if (taken.filter((time) => time > at - 1_000).length >= 5) return { RetCode: 153 };
        taken.push(at);
        return OK;
      },
      { latency: 20 },
    );
    await clock.run(
      Promise.all(Array.from({ length: 33 }, () => client.call('DescribeImage', {}, { patience: HOUR }))),
    );
    expect(sent.length).toBeLessThan(60);
    expect(clock.elapsed).toBeLessThan(30_000);
  });
});
