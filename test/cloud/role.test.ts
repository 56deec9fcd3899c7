import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/cloud/client.ts';
import { CloudError } from '../../src/cloud/errors.ts';
import { TransportError } from '../../src/cloud/explain.ts';
import { assumeRole } from '../../src/cloud/role.ts';
import { failure, fakeClient, KEYS, type Reply } from './fake.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const URN = 'ucs:iam::12345:role/promote';

const credentials = (serial: number | string, Expiration?: string) => ({
  RetCode: 0,
  Credentials: {
    AccessKeyId: `id-${serial}`,
    AccessKeySecret: `secret-${serial}`,
    SecurityToken: `token-${serial}`,
    Expiration,
  },
});

/** Two clients on one transport, as createCloud joins them; `assume` answers the AssumeRole calls by their number. */
function roleOf(
  assume: (serial: number) => object,
  { duration = HOUR, reply = () => ({ RetCode: 0 }) as object, latency = 0 } = {},
) {
  let serial = 0;
  const secrets: string[] = [];
  /** When each key first signed a request, and the secrets that were known by then. */
  const used: { at: number; key: string | undefined; known: number }[] = [];
  const all: Reply = (sent, index) => {
    if (sent.params.Action === 'AssumeRole') return assume(++serial);
    used.push({ at: sent.at, key: sent.params.PublicKey, known: secrets.length });
    return (reply as Reply)(sent, index);
  };
  const fake = fakeClient(all, { securityToken: '', latency });
  const { clock, options } = fake;
  const onSecret = (secret: string) => void secrets.push(secret);
  const role = assumeRole(
    fake.client,
    { urn: URN, duration, sessionName: 'copy-custom-image-7' },
    { clock, onSecret },
  );
  const client = createClient({ ...options, keys: role.keys });
  const assumed = () => fake.sent.filter(({ params }) => params.Action === 'AssumeRole');
  const call = (action = 'GetRegion', more = {}) => clock.run(client.call(action, {}, more));
  return { ...fake, client, role, secrets, used, assumed, call };
}

describe('a role', () => {
  it('is assumed by the keys, and its temporary keys sign every other call, masked before', async () => {
    const { assumed, call, sent, secrets, used } = roleOf((serial) => credentials(serial));
    await call();
    await call('CopyCustomImage');
    expect(assumed().map(({ params }) => params)).toEqual([
      {
        Action: 'AssumeRole',
        RoleUrn: URN,
        RoleSessionName: 'copy-custom-image-7',
        DurationSeconds: '3600',
        PublicKey: KEYS.publicKey,
        Signature: expect.any(String),
      },
    ]);
    expect(sent[1]?.params).toMatchObject({ PublicKey: 'id-1', SecurityToken: 'token-1' });
    expect(secrets.sort()).toEqual(['id-1', 'secret-1', 'token-1']);
    expect(used.map(({ known }) => known)).toEqual([3, 3]);
  });

  it('is assumed anew, once for all calls, when the API refuses keys before their time', async () => {
    const refuses = (key: string) => ({
      reply: (({ params }) => ({ RetCode: params.PublicKey === key ? 174 : 0 })) as Reply as () => object,
    });
    const two = roleOf((serial) => credentials(serial), refuses('id-1'));
    await two.clock.run(
      Promise.all(['hk', 'sg'].map((Region) => two.client.call('DescribeImage', { Region }))),
    );
    expect(two.assumed()).toHaveLength(2);
    expect(two.used.map(({ key }) => key)).toEqual(['id-1', 'id-1', 'id-2', 'id-2']);
    const copy = roleOf((serial) => credentials(serial), refuses('id-1'));
    await copy.call('CopyCustomImage');
    expect(copy.used.map(({ key }) => key)).toEqual(['id-1', 'id-2']);
    // A second refusal is an answer.
    for (const action of ['GetRegion', 'CopyCustomImage']) {
      const never = roleOf(() => credentials(1), refuses('id-1'));
      expect((await failure(never.call(action), CloudError)).code).toBe(174);
      expect(never.used).toHaveLength(2);
    }
  });

  it('is assumed once for calls at the same time, and a cancel ends the wait of its call alone', async () => {
    const { assumed, client, clock } = roleOf((serial) => credentials(serial), { latency: 1_000 });
    const cancel = new AbortController();
    clock.after(500, () => cancel.abort(new Error('cancelled')));
    const [cancelled, late, ...others] = await clock.run(
      Promise.allSettled([
        client.call('GetRegion', {}, { signal: cancel.signal }),
        client.call('CopyCustomImage', {}, { unsent: AbortSignal.abort(new Error('too late')) }),
        ...['hk', 'sg'].map((Region) => client.call('DescribeImage', { Region })),
      ]),
    );
    expect([cancelled, late]).toMatchObject([
      { reason: { message: 'cancelled' } },
      { reason: { message: 'too late' } },
    ]);
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(assumed()).toHaveLength(1);
  });

  it.each([15 * MINUTE, HOUR, 12 * HOUR])(
    'of %d ms outlives it: no call has keys that have expired',
    async (duration) => {
      const ends = new Map<string, number>();
      const { assumed, call, clock, used } = roleOf(
        (serial) => {
          ends.set(`id-${serial}`, clock.elapsed + duration);
          return credentials(serial, new Date(clock.now() + duration).toISOString());
        },
        { duration },
      );
      for (let at = 0; at < 3 * duration; at += MINUTE) {
        await call();
        await clock.run(clock.sleep(MINUTE));
      }
      expect(used.filter(({ at, key }) => at + 90_000 > (ends.get(key ?? '') ?? 0))).toEqual([]);
      expect(assumed().length).toBeGreaterThan(2);
      expect(assumed().length).toBeLessThan(6);
    },
  );

  it('lives as long as the API says if that is less, and as asked where the machine has another time', async () => {
    for (const [hours, renewed] of [
      [0.5, 2],
      [9, 1],
      [-3, 1],
    ] as const) {
      const { assumed, call, clock } = roleOf((serial) =>
        credentials(serial, new Date(clock.now() + hours * HOUR).toISOString()),
      );
      await call();
      await clock.run(clock.sleep(25 * MINUTE));
      await call();
      expect(assumed(), `${hours}`).toHaveLength(renewed);
    }
  });

  it('is renewed beside the calls while the old keys serve, again after a failure, and waited for when they end', async () => {
    let broken = true;
    const { assumed, call, clock, used } = roleOf((serial) =>
      serial > 1 && broken ? { RetCode: 299 } : credentials(serial),
    );
    await call();
    for (const minutes of [51, 0.5, 2]) {
      await clock.run(clock.sleep(minutes * MINUTE));
      await call();
    }
    expect(used.map(({ key }) => key)).toEqual(['id-1', 'id-1', 'id-1', 'id-1']);
    expect(assumed()).toHaveLength(3);
    await clock.run(clock.sleep(6 * MINUTE));
    await expect(call()).rejects.toThrow('AssumeRole failed: the user of the keys may not assume this role');
    broken = false;
    await call();
    expect(used.at(-1)?.key).toBe('id-5');
  });

  it.each([
    ['a throttle', { RetCode: 153 }],
    ['a gateway', { status: 502, raw: 'x' }],
    ['an answer without keys', { RetCode: 0, Credentials: { AccessKeyId: 'id', AccessKeySecret: 'x' } }],
    [
      'an answer with an empty key',
      { RetCode: 0, Credentials: { ...credentials(1).Credentials, AccessKeySecret: '' } },
    ],
    [
      'an answer whose token is none',
      { RetCode: 0, Credentials: { ...credentials(1).Credentials, SecurityToken: 7 } },
    ],
    ['an answer with no Credentials', { RetCode: 0 }],
  ])('is asked for again after %s, a copy waiting meanwhile', async (_, first) => {
    const { assumed, call, sent } = roleOf((serial) => (serial === 1 ? first : credentials(serial)));
    await call('CopyCustomImage');
    expect(assumed()).toHaveLength(2);
    expect(sent.at(-1)?.params).toMatchObject({ Action: 'CopyCustomImage', PublicKey: 'id-2' });
  });

  it('is waited for by each call as long as its own patience; one that has none waits on', async () => {
    const { assumed, client, clock } = roleOf((serial) =>
      clock.elapsed < 60_000 ? { RetCode: 130 } : credentials(serial),
    );
    const ended: [string, number][] = [];
    const timed = (action: string, patience?: number) =>
      client.call(action, {}, patience === undefined ? {} : { patience }).then(
        () => void ended.push([action, clock.elapsed]),
        ({ call }) => void ended.push([call, clock.elapsed]),
      );
    await clock.run(timed('GetRegion', 10_000));
    expect(ended).toEqual([['AssumeRole', expect.toSatisfy((at) => at <= 10_000)]]);
    await clock.run(Promise.all([timed('CopyCustomImage'), timed('GetRegion', 10_000)]));
    const read = expect.toSatisfy((at) => at <= 20_000);
    const copied = expect.toSatisfy((at) => at >= 60_000);
    expect(ended.slice(1)).toEqual([
      ['AssumeRole', read],
      ['CopyCustomImage', copied],
    ]);
    expect(assumed().length).toBeLessThan(25);
  });

  it('that cannot be assumed says so, and nothing was sent with it', async () => {
    for (const [reply, words] of [
      [{ RetCode: 299 }, 'STSCreateOnlyAccess'],
      [{ RetCode: 230, Message: 'Params [DurationSeconds] not available' }, 'role-duration'],
      [{ RetCode: 161 }, 'not every brand offers AssumeRole'],
    ] as const) {
      const { call, used } = roleOf(() => reply);
      const error = await failure(call('CopyCustomImage'), CloudError);
      expect(error).toMatchObject({ call: 'AssumeRole', verdict: 'final' });
      expect(error.advice).toContain(words);
      expect(used).toEqual([]);
    }
    const mute = await failure(roleOf(() => ({ RetCode: 0 })).call('CopyCustomImage'), CloudError);
    expect(mute.message).toMatch(/^AssumeRole failed: the answer has no AccessKeyId, AccessKeySecret and/);
    const { call } = roleOf(() => {
      throw new TransportError({ message: 'gone', advice: 'Look.' }, true);
    });
    // Not ambiguous: the copy was not sent.
    expect(await failure(call('CopyCustomImage'), CloudError)).toMatchObject({ verdict: 'retry' });
  });

  it('shows no part of its keys, in half an answer or in one that echoes them', async () => {
    const raw = JSON.stringify(credentials('canary')).slice(0, -1);
    const half = roleOf(() => ({ status: 200, raw }));
    const first = await failure(half.call(), CloudError);
    const echo = Object.values(credentials('canary').Credentials).join(' ');
    const second = await failure(
      roleOf(() => credentials('canary'), {
        reply: () => ({ RetCode: 171, Message: `${echo} ${Object.values(KEYS).join(' ')}` }),
      }).call(),
      CloudError,
    );
    for (const error of [first, second]) {
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toMatch(
        /(id|secret|token|private)-canary/,
      );
    }
  });

  it('ends with its cloud, whatever it waits for', async () => {
    const { client, clock, role, assumed } = roleOf(() => ({ RetCode: 130 }));
    clock.after(3_000, () => role.close());
    await expect(clock.run(client.call('GetRegion', {}))).rejects.toThrow('The step has ended.');
    expect(clock.elapsed).toBe(3_000);
    expect(assumed().length).toBeGreaterThan(0);
  });
});
