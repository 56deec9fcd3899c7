import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setFlagsFromString } from 'node:v8';
import type { Dispatcher } from 'undici';
import { explain, LOST, TransportError, unreachable } from './explain.ts';
import { createDispatcher, createLogin, proxyFor } from './proxy.ts';

/** Bytes. A page of 100 images is well under 1 MiB. */
const LARGEST_BODY = 8 * 1024 * 1024;

export interface TransportRequest {
  url: string;
  /** Beside those that every request has. */
  headers?: Readonly<Record<string, string>>;
  /** A form. */
  body: string;
  /** Milliseconds, for all of it: connecting, sending, reading the answer to its end. */
  timeout: number;
  /**
   * It must not be executed twice. So it goes out on a connection of its own: one that was kept may be closed by the
   * other side just as it is used, and nobody could say then whether the request had been read.
   */
  once?: boolean;
  signal?: AbortSignal | undefined;
}

export interface TransportAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface Transport {
  /** Throws TransportError, or the signal's reason when it is aborted. */
  send(request: TransportRequest): Promise<TransportAnswer>;
  /** Drops every connection, idle or not: nothing is left that could keep the process. */
  close(): Promise<void>;
}

/** What became of a connection: had it served another request, did anything come back over it, did it break without? */
interface Line {
  reused?: boolean;
  answered?: boolean;
  broke?: boolean;
}

const HEADERS_SENT = 'undici:client:sendHeaders';

/** The only effects of src/cloud: HTTP/1.1, so that a request is written at most once and never moved to another stream. */
export function createTransport({
  userAgent,
  env,
}: {
  userAgent: string;
  env: Record<string, string | undefined>;
}): Transport {
  // The library's HTTP parser is WebAssembly: to optimise it takes 20 MB and a processor, for some small answers.
  for (const f of ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(f);
  const login = createLogin();
  let kept: Dispatcher | undefined;
  let fresh: Dispatcher | undefined;
  let closed = false;

  // The library tells of a socket only here, right after it has called onRequestStart.
  const used = new WeakSet<object>();
  let starting: Line | undefined;
  const onHeaders = (message: unknown) => {
    const { socket } = message as { socket: object };
    if (starting) starting.reused = used.has(socket);
    starting = undefined;
    used.add(socket);
  };
  subscribe(HEADERS_SENT, onHeaders);

  function attempt(
    request: TransportRequest,
    line: Line | null,
    left = request.timeout,
  ): Promise<TransportAnswer> {
    const { url, headers: more, body, timeout, signal } = request;
    const target = new URL(url);
    const proxy = proxyFor(target, env);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const chunks: Buffer[] = [];
      let size = 0;
      let status = 0;
      let headers: TransportAnswer['headers'] = {};
      let controller: Dispatcher.DispatchController | undefined;
      let settled = false;

      const settle = (action: () => void) => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        action();
      };
      // Before the request has started there is no controller: it is then stopped in onRequestStart.
      const stop = (reason: unknown) => {
        settle(() => reject(reason));
        if (controller && !controller.aborted) controller.abort(new Error('stopped'));
      };
      const abort = () => stop(signal?.reason);
      const timer = setTimeout(() => {
        const [what, advice] = controller ? ['answer from', LOST] : ['connection to', unreachable(proxy)];
        const message = `no ${what} ${target.host} within ${timeout / 1_000} s`;
        stop(new TransportError({ message, advice }, controller !== undefined));
      }, left);
      signal?.addEventListener('abort', abort);

      if (line) kept ??= createDispatcher(target, env);
      else fresh ??= createDispatcher(target, env);
      const dispatcher = (line ? kept : fresh) as Dispatcher;
      dispatcher.dispatch(
        {
          origin: target.origin,
          path: target.pathname + target.search,
          method: 'POST',
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            accept: 'application/json',
            'accept-encoding': 'identity',
            'user-agent': userAgent,
            ...more,
          },
          body,
          ...(line ? {} : { reset: true }),
        },
        {
          // Called right before the first byte is written: what fails earlier was never sent.
          onRequestStart(started) {
            controller = started;
            starting = line ?? undefined;
            if (settled) started.abort(new Error('stopped'));
          },
          onResponseStart(_, code, fields) {
            if (line) line.answered = true;
            if (code < 200) return;
            status = code;
            headers = fields;
          },
          onResponseData(_, chunk) {
            size += chunk.length;
            if (size > LARGEST_BODY) {
              const message = `the answer of ${target.host} is larger than ${LARGEST_BODY / 2 ** 20} MiB`;
              const advice = 'Check api-url: this is not what the API sends.';
              stop(new TransportError({ message, advice }, true));
              return;
            }
            chunks.push(chunk);
          },
          // One turn later: the library frees the connection only then, and the next call should find it.
          onResponseEnd() {
            const answer = { status, headers, body: new TextDecoder().decode(Buffer.concat(chunks)) };
            settle(() => queueMicrotask(() => setImmediate(resolve, answer)));
          },
          onResponseError(_, error) {
            const started = controller !== undefined;
            settle(() => {
              const trouble = explain(error, { target, started, proxy });
              if (line) line.broke = trouble.reached && !line.answered;
              reject(trouble);
            });
          },
        },
      );
    });
  }

  /** On a kept connection. One that the other side had closed by then says nothing: the request goes out once more. */
  async function onKept(request: TransportRequest): Promise<TransportAnswer> {
    const line: Line = {};
    const end = performance.now() + request.timeout;
    try {
      const answer = await attempt(request, line);
      // HTTP 408: it had waited for a request for too long, and missed that one was coming.
      if (!line.reused || answer.status !== 408) return answer;
    } catch (error) {
      if (!line.broke || !line.reused || closed) throw error;
    }
    return await attempt(request, null, end - performance.now());
  }

  return {
    async send(request) {
      const go = () => (request.once ? attempt(request, null) : onKept(request));
      return proxyFor(new URL(request.url), env) ? await login(go, request.signal) : await go();
    },
    async close() {
      closed = true;
      unsubscribe(HEADERS_SENT, onHeaders);
      await Promise.all([kept, fresh].map((each) => each?.destroy()));
    },
  };
}
