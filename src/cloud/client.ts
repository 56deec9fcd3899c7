import type { Clock } from './clock.ts';
import type { CallOptions, CopyOptions } from './cloud.ts';
import { CloudError, COPY, judge, judgeStatus, quote, RETURN_CODES, UNKNOWN_CODE } from './errors.ts';
import { createGate } from './gate.ts';
import { number, record, text } from './parse.ts';
import { encode, sign } from './signature.ts';
import { type Transport, TransportError } from './transport.ts';

/** Milliseconds. The gateway itself answers a copy within 60 s, so giving up earlier would lose the answer. */
const COPY_TIMEOUT = 90_000;
const TIMEOUT = 30_000;

/**
 * A fault that passes is waited for at most so long, in milliseconds: long enough for a gateway that restarts, short
 * enough that a wrong api-url does not cost an hour. A throttle is no fault and is waited for as long as the caller can.
 */
const FAULT_PATIENCE = 120_000;

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 20_000;

export type Params = Record<string, string | number | boolean | readonly string[] | undefined>;

export interface Answer {
  body: Record<string, unknown>;
  requestId: string | undefined;
}

export interface ClientOptions {
  url: string;
  publicKey: string;
  privateKey: string;
  securityToken?: string | undefined;
  clock: Clock;
  transport: Transport;
  /** A call failed and is repeated after `delay` milliseconds or a little more. */
  onRetry?: ((retry: { error: CloudError; delay: number }) => void) | undefined;
  /** Every attempt, for whoever debugs: `code` is the RetCode, or what stood in for one. */
  onAnswer?: ((answer: Attempt) => void) | undefined;
}

export interface Attempt {
  call: string;
  region: string | undefined;
  code: string;
  requestId: string | undefined;
  ms: number;
}

export interface Client {
  /** The answer with RetCode 0; else throws CloudError, or a signal's reason. `unsent` ends only the wait to be sent. */
  call(action: string, params: Params, options?: CallOptions & CopyOptions): Promise<Answer>;
}

export function createClient(options: ClientOptions): Client {
  const { url, publicKey, privateKey, securityToken, clock, transport, onRetry, onAnswer } = options;
  const gate = createGate(clock);

  async function once(call: string, params: Params, signal: AbortSignal | undefined): Promise<Answer> {
    const fields = flatten({
      ...params,
      Action: call,
      PublicKey: publicKey,
      SecurityToken: securityToken || undefined,
      Signature: undefined,
    });
    const signature = sign(fields, privateKey);
    const body = new URLSearchParams({ ...fields, Signature: signature }).toString();
    const secrets = [privateKey, publicKey, securityToken ?? '', signature];
    const about = {
      call,
      region: fields.Region,
      imageId: fields.SourceImageId ?? fields.ImageId ?? fields['ImageIds.0'],
    };

    let answer: Awaited<ReturnType<Transport['send']>>;
    try {
      answer = await transport.send({ url, body, timeout: call === COPY ? COPY_TIMEOUT : TIMEOUT, signal });
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      const lost = call === COPY ? 'ambiguous' : 'retry';
      throw new CloudError({
        ...about,
        kind: error.reached ? 'lost' : 'connection',
        verdict: error.final ? 'final' : error.reached ? lost : 'retry',
        meaning: quote(error.message, secrets),
        advice: error.advice,
      });
    }

    const { status } = answer;
    const header = answer.headers['x-ucloud-request-uuid'];
    const requestId = quote(String(Array.isArray(header) ? header[0] : (header ?? '')), secrets) || undefined;
    const parsed = parse(answer.body);
    const code = parsed ? (integer(parsed.RetCode) ?? null) : null;
    const known = code === null ? undefined : RETURN_CODES[code];
    const success = status >= 200 && status <= 299;
    if (parsed && success && code === 0) return { body: parsed, requestId };

    const words = parsed && code !== null ? text(parsed.Message) : answer.body;
    const outcome = {
      ...about,
      status,
      code: code === 0 ? null : code,
      requestId,
      apiMessage: words ? quote(words, secrets) || null : null,
    };
    if (success && code === null) {
      throw new CloudError({
        ...outcome,
        kind: 'unreadable',
        verdict: call === COPY ? 'ambiguous' : 'retry',
        meaning: "the answer is not the API's: no JSON with a RetCode",
        advice: 'Check api-url, and whether a proxy or a sign-in page answers in place of the API.',
      });
    }
    const refused = status < 500 && status !== 429;
    if (code !== null && refused && (success || known)) {
      throw new CloudError({ ...outcome, kind: 'api', ...judge(call, known ?? UNKNOWN_CODE) });
    }
    throw new CloudError({ ...outcome, kind: 'http', ...judgeStatus(call, status) });
  }

  return {
    async call(action, params, { signal, patience = 0, unsent = signal } = {}) {
      const startedAt = clock.now();
      const deadline = ({ slow }: CloudError) =>
        startedAt + (slow ? patience : Math.min(patience, FAULT_PATIENCE));
      let last: CloudError | undefined;
      for (let attempt = 0; ; attempt++) {
        await gate.pass(unsent);
        unsent?.throwIfAborted();
        if (last && clock.now() > deadline(last)) throw last;
        const sentAt = clock.now();
        const region = typeof params.Region === 'string' ? params.Region : undefined;
        const tell = (code: string, requestId: string | undefined) =>
          onAnswer?.({ call: action, region, code, requestId, ms: clock.now() - sentAt });
        try {
          const answer = await once(action, params, signal);
          tell('RetCode 0', answer.requestId);
          gate.succeeded(sentAt);
          return answer;
        } catch (error) {
          if (!(error instanceof CloudError)) throw error;
          tell(error.code === null ? error.meaning : `RetCode ${error.code}`, error.requestId ?? undefined);
          if (error.slow) gate.throttled(sentAt);
          if (action === COPY || error.verdict !== 'retry') throw error;
          last = error;
        }
        const jitter = clock.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt);
        const own = Math.max(jitter, (last.waitSeconds ?? 0) * 1_000);
        const delay = Math.max(own, gate.remaining());
        if (clock.now() + delay > deadline(last)) throw last;
        onRetry?.({ error: last, delay });
        // Only its own delay: the gate spreads those that wait for it.
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
