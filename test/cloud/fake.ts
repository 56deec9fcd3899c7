import { type ClientOptions, createClient } from '../../src/cloud/client.ts';
import type { Transport } from '../../src/cloud/transport.ts';
import { VirtualClock } from '../virtual-clock.ts';

export const KEYS = {
  publicKey: 'public-canary',
  privateKey: 'private-canary',
  securityToken: 'token-canary',
};

export interface Sent {
  /** Virtual milliseconds since the start. */
  at: number;
  params: Record<string, string>;
  headers: Readonly<Record<string, string>>;
  timeout: number;
  once: boolean | undefined;
}

/** A JSON body, or a whole answer; what is thrown is thrown by the transport. */
export type Reply = (
  sent: Sent,
  index: number,
) => object | { status: number; raw: string; headers?: Record<string, string> };

/** A client on a transport that never leaves the process. */
export function fakeClient(reply: Reply, options: Partial<ClientOptions> & { latency?: number } = {}) {
  const clock = (options.clock as VirtualClock | undefined) ?? new VirtualClock();
  const sent: Sent[] = [];
  const retries: { code: number | null; kind: string; delay: number }[] = [];
  const transport: Transport = {
    async send({ body, headers = {}, timeout, once, signal }) {
      signal?.throwIfAborted();
      const params = Object.fromEntries(new URLSearchParams(body));
      const request = { at: clock.elapsed, params, headers, timeout, once };
      const index = sent.push(request) - 1;
      if (options.latency) await clock.sleep(options.latency, signal);
      const answer = reply(request, index);
      const id = { 'x-ucloud-request-uuid': `request-${index}` };
      return 'raw' in answer
        ? { status: answer.status, headers: { ...id, ...answer.headers }, body: answer.raw }
        : { status: 200, headers: id, body: JSON.stringify(answer) };
    },
    close: async () => {},
  };
  const used: ClientOptions = {
    url: 'https://api.test/',
    ...KEYS,
    transport,
    onRetry: ({ error, delay }) => retries.push({ code: error.code, kind: error.kind, delay }),
    ...options,
    clock,
  };
  return { client: createClient(used), options: used, clock, sent, retries };
}

/** What `promise` rejects with. */
export async function failure<E extends Error>(
  promise: Promise<unknown>,
  type: abstract new (...args: never[]) => E,
): Promise<E> {
  const result = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in result && result.error instanceof type) return result.error;
  throw new Error(`expected ${type.name}, got ${JSON.stringify(result)}`, {
    cause: 'error' in result ? result.error : undefined,
  });
}
