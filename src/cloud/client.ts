import type { Clock } from './clock.ts';
import type { CallOptions, CopyOptions } from './cloud.ts';
import { ASSUME_ROLE, CloudError, COPY, DELETE, judge, judgeStatus, quote } from './errors.ts';
import { TransportError } from './explain.ts';
import { createGate } from './gate.ts';
import { number, packing, pause, record, text } from './parse.ts';
import { RETURN_CODES, UNKNOWN_CODE } from './return-codes.ts';
import { encode, sign } from './signature.ts';
import type { Transport } from './transport.ts';

/** Milliseconds. The gateway itself answers a copy within 60 s, so giving up earlier would lose the answer. */
const COPY_TIMEOUT = 90_000;
const TIMEOUT = 30_000;

/**
 * A fault that passes is waited for at most so long, in milliseconds: long enough for a gateway that restarts, short
 * enough that a wrong api-url does not cost an hour. A throttle is no fault and is waited for as long as the caller
 * can; so is a gateway that says itself when to come back.
 */
const FAULT_PATIENCE = 120_000;

/** A call waits so many milliseconds longer for the gate than it has patience, but no whole pause that is longer. */
const OVERTIME = 180_000;

/** The RetCode of temporary keys that have expired. */
const EXPIRED = 174;

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 20_000;

const UNDOCUMENTED =
  "The API endpoint does not answer as documented; if it lasts, give the request id to the vendor's support.";

export type Params = Record<string, string | number | boolean | readonly string[] | undefined>;

export interface Answer {
  body: Record<string, unknown>;
  requestId: string | undefined;
}

export interface Keys {
  publicKey: string;
  privateKey: string;
  securityToken?: string | undefined;
}

export interface KeysWait {
  /** Ends the wait only: other calls may wait for the same keys. */
  signal?: AbortSignal | undefined;
  /** The API has refused these. */
  spent?: Keys | undefined;
  /** Milliseconds that the call has left; absent when it has no patience of its own. */
  patience?: number | undefined;
}

export interface ClientOptions extends Keys {
  url: string;
  /** Asked before each request for the keys that sign it, in place of those above. */
  keys?: ((wait: KeysWait) => Promise<Keys>) | undefined;
  /** Some brands know their customers by this header (`ch_…`). It is not signed, and never sent when empty. */
  channelKey?: string | undefined;
  clock: Clock;
  transport: Transport;
  /**
   * A call failed and is repeated after `delay` milliseconds or a little more, for up to `left` milliseconds. One
   * outage fails the calls of every region again and again: this is called for the first of them alone, until a call
   * has succeeded.
   */
  onRetry?: ((retry: { error: CloudError; delay: number; left: number }) => void) | undefined;
  /** Every attempt, for whoever debugs: `code` is the RetCode, or what stood in for one. */
  onAnswer?: ((answer: Attempt) => void) | undefined;
}

export interface Attempt {
  call: string;
  region: string | undefined;
  code: string;
  requestId: string | undefined;
  /** Whole milliseconds. */
  ms: number;
}

export interface Client {
  /**
   * The answer with RetCode 0; else throws CloudError, or a signal's reason. `unsent` ends only the wait to be sent.
   * What `flaw` says of an answer with RetCode 0 makes it unreadable.
   */
  call(action: string, params: Params, options?: CallOptions & CopyOptions & Hooks): Promise<Answer>;
}

interface Hooks {
  flaw?: (body: Answer['body']) => string | undefined;
  /** After a failure, `delay` milliseconds before the next attempt: how long that is worth waiting for. */
  wanted?: (error: CloudError, delay: number) => number;
}

export function createClient(options: ClientOptions): Client {
  const { url, channelKey = '', clock, transport, onRetry, onAnswer } = options;
  const gate = createGate(clock);
  const headers: Record<string, string> = channelKey ? { 'channel-key': channelKey } : {};
  const hidden = [options.privateKey, options.publicKey, channelKey];
  /** The outages that were told and go on: a throttle is one, everything else another. */
  const told = new Set<boolean>();
  /** Why the gate was closed last. */
  let throttle: CloudError | undefined;

  async function once(
    call: string,
    params: Params,
    { publicKey, privateKey, securityToken = '' }: Keys,
    { signal, flaw }: Hooks & CopyOptions,
  ): Promise<Answer> {
    const fields = flatten({
      ...params,
      Action: call,
      PublicKey: publicKey,
      SecurityToken: securityToken || undefined,
      Signature: undefined,
    });
    const signature = sign(fields, privateKey);
    const body = new URLSearchParams({ ...fields, Signature: signature }).toString();
    const secrets = [...hidden, privateKey, publicKey, securityToken, signature];
    const about = {
      call,
      region: fields.Region,
      imageId: fields.SourceImageId ?? fields.ImageId ?? fields['ImageIds.0'],
    };

    let answer: Awaited<ReturnType<Transport['send']>>;
    try {
      // Sent twice unseen, a delete would be answered as if somebody else had deleted the image.
      const how = { timeout: call === COPY ? COPY_TIMEOUT : TIMEOUT, once: call === COPY || call === DELETE };
      answer = await transport.send({ url, headers, body, ...how, signal });
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      const { reached, final, login } = error;
      throw new CloudError({
        ...about,
        kind: reached ? 'lost' : 'connection',
        verdict: reached && call === COPY ? 'ambiguous' : final ? 'final' : 'retry',
        meaning: quote(error.message, secrets),
        advice: error.advice,
        decisive: final && !reached,
        login,
      });
    }

    const { status } = answer;
    const header = (name: string) => String([answer.headers[name] ?? ''].flat()[0]);
    const requestId = quote(header('x-ucloud-request-uuid'), secrets) || undefined;
    const packed = packing(header('content-encoding'), answer.body);
    const parsed = parse(answer.body);
    const code = parsed && integer(parsed.RetCode);
    const known = code && RETURN_CODES[code];
    const success = status < 300;
    const done = success && code === 0 ? parsed : undefined;
    const fault = done && flaw?.(done);
    if (done && fault === undefined) return { body: done, requestId };

    // The answer to AssumeRole holds keys, and half of it may not be recognised as an answer.
    const page = packed || call === ASSUME_ROLE ? '' : answer.body;
    const words = parsed && code !== undefined ? text(parsed.Message) : page;
    const retryAfter =
      status === 429 || status === 503 ? pause(header('retry-after'), clock.now()) : undefined;
    const outcome = {
      ...about,
      status,
      code: code || null,
      requestId,
      apiMessage: words ? quote(words, secrets) || null : null,
    };
    const unreadable = { kind: 'unreadable', verdict: call === COPY ? 'ambiguous' : 'retry' } as const;
    if (fault !== undefined) {
      throw new CloudError({
        ...outcome,
        ...unreadable,
        blames: 'target',
        meaning: fault,
        advice: UNDOCUMENTED,
      });
    }
    if (success && code === undefined) {
      const compressed = `the answer is compressed (${quote(packed, secrets, 40)}), though it was asked for as it is`;
      throw new CloudError({
        ...outcome,
        ...unreadable,
        meaning: packed ? compressed : "the answer is not the API's: no JSON with a RetCode",
        advice: packed
          ? 'Check which proxy stands between the runner and the API, and turn its compression off.'
          : 'Check api-url, and whether a proxy or a sign-in page answers in place of the API.',
      });
    }
    const refused = status < 500 && status !== 429;
    if (refused && (success || known)) {
      const judged = judge(call, known || UNKNOWN_CODE, { params: fields, message: outcome.apiMessage });
      throw new CloudError({ ...outcome, kind: 'api', ...judged });
    }
    const judged = judgeStatus(call, status);
    throw new CloudError({
      ...outcome,
      kind: 'http',
      ...judged,
      ...(retryAfter !== undefined && {
        meaning: `${judged.meaning}; it asks for a pause of ${retryAfter} s`,
        waitSeconds: retryAfter,
      }),
    });
  }

  return {
    async call(action, params, { signal, patience = 0, persist, unsent = signal, flaw, wanted } = {}) {
      const startedAt = clock.now();
      const deadline = ({ slow, kind, waitSeconds }: CloudError) =>
        startedAt +
        (slow || (kind === 'http' && waitSeconds) ? patience : Math.min(patience, FAULT_PATIENCE));
      const region = typeof params.Region === 'string' ? params.Region : undefined;
      const tell = (sentAt: number, code: string, requestId: string | undefined) =>
        onAnswer?.({ call: action, region, code, requestId, ms: Math.round(clock.now() - sentAt) });
      let last: CloudError | undefined;
      let used: Keys = options;
      let spent: Keys | undefined;
      for (let attempt = 0; ; attempt++) {
        if (throttle && patience > 0 && gate.remaining() > startedAt + patience + OVERTIME - clock.now())
          throw last ?? throttle.of(action, region);
        await gate.enter(action === COPY ? 'first' : persist ? 'patient' : 'usual', unsent);
        let sentAt = clock.now();
        let refused: number | undefined;
        try {
          const rest = patience > 0 ? Math.max(0, startedAt + patience - sentAt) : undefined;
          if (options.keys) used = await options.keys({ signal: unsent, spent, patience: rest });
          unsent?.throwIfAborted();
          if (last && clock.now() > deadline(last)) throw last;
          sentAt = clock.now();
          const answer = await once(action, params, used, {
            ...(signal && { signal }),
            ...(flaw && { flaw }),
          });
          tell(sentAt, 'RetCode 0', answer.requestId);
          told.clear();
          return answer;
        } catch (error) {
          if (!(error instanceof CloudError) || error === last) throw error;
          const { code, meaning, requestId, slow, waitSeconds, verdict, decisive } = error;
          tell(sentAt, code === null ? meaning : `RetCode ${code}`, requestId ?? undefined);
          if (slow) [refused, throttle] = [(waitSeconds ?? 0) * 1_000, error];
          // Temporary keys may end before their time: once the role is assumed anew. Keys are looked at before anything
          // is done, so even a copy can be sent again.
          if (code === EXPIRED && options.keys && spent === undefined) {
            spent = used;
            continue;
          }
          const passes = verdict === 'retry' || (persist && !decisive);
          if (action === COPY || !passes) throw error;
          last = error;
        } finally {
          gate.leave(sentAt, refused);
        }
        const jitter = clock.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt);
        // The gate has a throttled call wait, and spreads those that wait for it.
        const own = last.slow ? 0 : Math.max(jitter, (last.waitSeconds ?? 0) * 1_000);
        const delay = Math.max(own, gate.remaining());
        const most = deadline(last) - clock.now();
        const left = Math.min(most, wanted?.(last, delay) ?? most);
        if (delay > left) throw last;
        if (!told.has(last.slow)) onRetry?.({ error: last, delay, left });
        told.add(last.slow);
        await clock.sleep(own, signal);
      }
    },
  };
}

/** Lists become `Name.0`, `Name.1`; what is undefined is left out. */
function flatten(params: Params): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) {
      value.forEach((item, index) => {
        fields[`${name}.${index}`] = item;
      });
    } else if (value !== undefined) {
      fields[name] = encode(value as string | number | boolean);
    }
  }
  return fields;
}

/** Whatever the content type says: gateways label JSON as HTML, and HTML as JSON. */
function parse(body: string): Record<string, unknown> | undefined {
  try {
    return record(JSON.parse(body));
  } catch {
    return undefined;
  }
}

function integer(value: unknown): number | undefined {
  const parsed = number(value);
  return Number.isInteger(parsed) ? parsed : undefined;
}
