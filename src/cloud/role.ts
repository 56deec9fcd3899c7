import type { Client, Keys, KeysWait } from './client.ts';
import type { Clock } from './clock.ts';
import { ASSUME_ROLE, type CloudError } from './errors.ts';
import { record } from './parse.ts';

export interface Role {
  /** `ucs:iam::COMPANY:role/NAME` */
  urn: string;
  /** Milliseconds for which each set of temporary keys is asked for. */
  duration: number;
  sessionName: string;
}

/** Milliseconds before its end from which temporary keys are renewed. At most a third of their life. */
const EARLY = 600_000;
/** Milliseconds before their end from which they are used no more: a copy may take 90 s, and clocks differ. */
const LAST = 120_000;
/** Milliseconds between two renewals that fail while the old keys still serve. */
const PAUSE = 60_000;
/** Milliseconds: keys that seem to live shorter when they are new are seen by a clock that is wrong. */
const SHORTEST = 300_000;
/** Milliseconds for which a throttle is waited for; the client knows that a fault deserves less. */
const PATIENCE = 600_000;

type SessionKeys = { [Name in keyof Keys]-?: string };

interface Session {
  keys: SessionKeys;
  renewAt: number;
  endsAt: number;
}

export interface AssumedRole {
  /** Throws CloudError, or the signal's reason. */
  keys(wait?: KeysWait): Promise<Keys>;
  close(): void;
}

/**
 * Temporary keys of a role, asked for by the keys of `client` and renewed before they expire, however many calls there
 * are. While the old ones serve, no call waits for new ones, and a renewal that fails is tried again later. `onSecret`
 * is called with each part of new keys before they are used.
 */
export function assumeRole(
  client: Client,
  role: Role,
  { clock, onSecret }: { clock: Clock; onSecret: (secret: string) => void },
): AssumedRole {
  const closed = new AbortController();
  let session: Session | undefined;
  let renewal: Promise<Session> | undefined;
  const waiters = createWaiters(clock);

  async function assume(): Promise<Session> {
    const askedAt = clock.now();
    const params = {
      RoleUrn: role.urn,
      RoleSessionName: role.sessionName,
      DurationSeconds: Math.floor(role.duration / 1_000),
    };
    const { body } = await client.call(ASSUME_ROLE, params, {
      signal: closed.signal,
      patience: PATIENCE,
      wanted: waiters.wanted,
      flaw: (answer) =>
        readKeys(answer) ? undefined : 'the answer has no AccessKeyId, AccessKeySecret and SecurityToken',
    });
    const keys = readKeys(body) as SessionKeys;
    for (const secret of Object.values(keys)) onSecret(secret);
    const told = Date.parse(String(record(body.Credentials)?.Expiration)) - askedAt;
    const life = told >= SHORTEST ? Math.min(told, role.duration) : role.duration;
    session = {
      keys,
      renewAt: askedAt + life - Math.min(EARLY, life / 3),
      endsAt: askedAt + life - LAST,
    };
    return session;
  }

  function renew(): Promise<Session> {
    renewal ??= assume().finally(() => {
      renewal = undefined;
      waiters.done();
    });
    return renewal;
  }

  return {
    async keys(wait = {}) {
      if (session && session.keys === wait.spent) session = undefined;
      const old = session;
      if (old && clock.now() < old.renewAt) return old.keys;
      const renewed = renew();
      if (!old || clock.now() >= old.endsAt) return (await waiters.wait(renewed, wait)).keys;
      renewed.catch(() => {
        old.renewAt = clock.now() + PAUSE;
      });
      return old.keys;
    },
    close: () => closed.abort(new Error('The step has ended.')),
  };
}

/** The calls that wait for one renewal, each for as long as it has patience itself. */
function createWaiters(clock: Clock) {
  /** `until` in Unix milliseconds. */
  const waiting = new Set<{ until: number; giveUp(reason: unknown): void }>();
  /** Between two attempts. */
  let pause: { error: CloudError; until: number } | undefined;
  return {
    /** Those whose time is over before the next attempt get the error of the last one. */
    wanted(error: CloudError, delay: number): number {
      const now = clock.now();
      pause = { error, until: now + delay };
      // The old keys serve.
      if (waiting.size === 0) return PATIENCE;
      for (const { until, giveUp } of waiting) if (until < pause.until) giveUp(error);
      return Math.max(...[...waiting].map(({ until }) => until)) - now;
    },
    async wait<T>(renewed: Promise<T>, { signal, patience = PATIENCE }: KeysWait): Promise<T> {
      const until = clock.now() + patience;
      if (pause && until < pause.until) throw pause.error;
      const { promise: over, reject: giveUp } = Promise.withResolvers<never>();
      const waiter = { until, giveUp };
      const abort = () => giveUp(signal?.reason);
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort);
      waiting.add(waiter);
      try {
        return await Promise.race([over, renewed]);
      } finally {
        waiting.delete(waiter);
        signal?.removeEventListener('abort', abort);
      }
    },
    done() {
      pause = undefined;
    },
  };
}

function readKeys(body: Record<string, unknown>): SessionKeys | undefined {
  const { AccessKeyId, AccessKeySecret, SecurityToken } = record(body.Credentials) ?? {};
  const isText = (value: unknown) => typeof value === 'string' && value !== '';
  if (![AccessKeyId, AccessKeySecret, SecurityToken].every(isText)) return undefined;
  return {
    publicKey: AccessKeyId as string,
    privateKey: AccessKeySecret as string,
    securityToken: SecurityToken as string,
  };
}
