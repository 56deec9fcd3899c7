import type { Client, Keys } from './client.ts';
import type { Clock } from './clock.ts';
import { ASSUME_ROLE } from './errors.ts';
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
  /**
   * Throws CloudError, or the signal's reason. The signal ends the wait only: other calls may wait for the same keys.
   * `spent`: the API refuses these.
   */
  keys(signal?: AbortSignal, spent?: Keys): Promise<Keys>;
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
    });
    return renewal;
  }

  return {
    async keys(signal, spent) {
      if (session && session.keys === spent) session = undefined;
      const old = session;
      if (old && clock.now() < old.renewAt) return old.keys;
      const renewed = renew();
      if (!old || clock.now() >= old.endsAt) return (await unlessAborted(renewed, signal)).keys;
      renewed.catch(() => {
        old.renewAt = clock.now() + PAUSE;
      });
      return old.keys;
    },
    close: () => closed.abort(new Error('The step has ended.')),
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

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
