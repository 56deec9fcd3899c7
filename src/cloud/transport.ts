import { type Dispatcher, EnvHttpProxyAgent } from 'undici';

/** Milliseconds until a connection must stand, TLS included. */
const CONNECT_TIMEOUT = 10_000;
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

interface Trouble {
  /** Goes after "failed: ", so it has no full stop. */
  message: string;
  advice: string;
  /** No repetition can help. */
  final?: boolean;
}

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly advice: string;
  /** False only when not one byte of the request was sent to the API. */
  readonly reached: boolean;
  readonly final: boolean;

  constructor({ message, advice, final = false }: Trouble, reached: boolean) {
    super(message);
    this.advice = advice;
    this.reached = reached;
    this.final = final;
  }
}

/** The only effects of src/cloud: HTTP/1.1, so that a request is written at most once and never moved to another stream. */
export function createTransport({
  userAgent,
  env,
}: {
  userAgent: string;
  env: Record<string, string | undefined>;
}): Transport {
  const dispatchers = new Map<string, Dispatcher>();

  function dispatcherFor(protocol: string): Dispatcher {
    let dispatcher = dispatchers.get(protocol);
    if (!dispatcher) {
      dispatcher = createDispatcher(protocol, env);
      dispatchers.set(protocol, dispatcher);
    }
    return dispatcher;
  }

  return {
    send({ url, headers: more, body, timeout, signal }) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const target = new URL(url);
        const dispatcher = dispatcherFor(target.protocol);
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
          const seconds = `${timeout / 1_000} s`;
          stop(
            controller
              ? new TransportError(
                  { message: `no answer from ${target.host} within ${seconds}`, advice: LOST },
                  true,
                )
              : new TransportError(
                  { message: `no connection to ${target.host} within ${seconds}`, advice: UNREACHABLE },
                  false,
                ),
          );
        }, timeout);
        signal?.addEventListener('abort', abort, { once: true });

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
          },
          {
            // Called right before the first byte is written: what fails earlier was never sent.
            onRequestStart(started) {
              controller = started;
              if (settled) started.abort(new Error('stopped'));
            },
            onResponseStart(_, code, fields) {
              if (code < 200) return;
              status = code;
              headers = fields;
            },
            onResponseData(_, chunk) {
              size += chunk.length;
              if (size > LARGEST_BODY) {
                const message = `the answer of ${target.host} is larger than ${LARGEST_BODY / 2 ** 20} MiB`;
                stop(
                  new TransportError(
                    { message, advice: 'Check api-url: this is not what the API sends.' },
                    true,
                  ),
                );
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
              settle(() => {
                const { reached, ...trouble } = explain(error, target, controller !== undefined);
                reject(new TransportError(trouble, reached));
              });
            },
          },
        );
      });
    },
    async close() {
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/**
 * HTTP/1.1 through the proxy for the protocol, as curl and the runner choose it: HTTPS_PROXY is not HTTP_PROXY's
 * fallback, nor the reverse. Throws TransportError when that is no URL.
 */
export function createDispatcher(protocol: string, env: Record<string, string | undefined>): Dispatcher {
  const name = protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const proxy = proxyUrl(name, env);
  // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not hand signed requests or a token to anybody.
  const tls = { rejectUnauthorized: true };
  return new EnvHttpProxyAgent({
    httpProxy: proxy,
    httpsProxy: proxy,
    noProxy: env.no_proxy || env.NO_PROXY || '',
    allowH2: false,
    connect: { ...tls, timeout: CONNECT_TIMEOUT },
    connectTimeout: CONNECT_TIMEOUT,
    requestTls: tls,
    proxyTls: tls,
  });
}

/** Empty without a proxy. */
function proxyUrl(name: string, env: Record<string, string | undefined>): string {
  const value = (env[name] || env[name.toUpperCase()] || '').trim();
  if (value === '') return '';
  try {
    const url = new URL(value.includes('://') ? value : `http://${value}`);
    decodeURIComponent(url.username + url.password);
    if (/^(https?|socks5):$/.test(url.protocol)) return url.href;
  } catch {
    // Told below: the value may hold a password, and so may the error.
  }
  const message = `the proxy in ${name.toUpperCase()} is not a URL`;
  const advice = `Write ${name.toUpperCase()} as http://host:port or http://user:password@host:port, with special characters percent-encoded.`;
  throw new TransportError({ message, advice, final: true }, false);
}

const UNREACHABLE =
  'Check api-url and that the runner may reach it; behind a proxy, check HTTPS_PROXY and NO_PROXY.';
const LOST = 'The network or the API broke off; run the workflow again if it does not recover.';
const UNTRUSTED =
  'If a proxy or a private authority signs it, save the certificate of that authority to a file and name the file in the environment variable NODE_EXTRA_CA_CERTS of this step; verification is never turned off.';
const PROXY =
  'Check the user and password in HTTPS_PROXY, that the proxy lets this host through, and NO_PROXY.';

/** Only codes, hosts and ports are taken from an error of the library: its own words may hold a proxy's URL. */
function explain(error: Error, target: URL, started: boolean): Trouble & { reached: boolean } {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const { code = error.name, hostname, address, port } = first as Record<string, unknown> & Error;
  const label = String(code);
  const where = hostname ?? (address ? `${address}:${port}` : target.host);

  if (error.message.includes('Proxy Authentication Required')) {
    return { message: 'the proxy refused its credentials (HTTP 407)', advice: PROXY, reached: false };
  }
  if (started && label === 'HTTPParserError') {
    const message = `what ${target.host} answers is not HTTP`;
    return { message, advice: 'Check scheme, host and port in api-url.', reached: true };
  }
  if (started) {
    return {
      message: `the connection to ${target.host} broke before the answer was complete (${label})`,
      advice: LOST,
      reached: true,
    };
  }
  const refusal = /^Proxy response \((\d+)\)/.exec(error.message)?.[1];
  if (refusal) {
    const message = `the proxy refused to connect to ${target.host} (HTTP ${refusal})`;
    return { message, advice: PROXY, reached: false };
  }
  if (label === 'ENOTFOUND' || label === 'EAI_AGAIN') {
    return {
      message: `the name ${where} cannot be resolved (${label})`,
      advice: 'Check the spelling of the host in api-url, or in HTTPS_PROXY, and the DNS of the runner.',
      reached: false,
    };
  }
  if (label === 'ERR_TLS_CERT_ALTNAME_INVALID' || label === 'UND_ERR_PRX_TLS') {
    const message = `the certificate presented for ${target.host} belongs to another host (${label})`;
    return { message, advice: 'Check the host in api-url, or in HTTPS_PROXY.', reached: false };
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(label)) {
    const message = `the certificate of ${target.host} is not trusted (${label})`;
    return { message, advice: UNTRUSTED, reached: false };
  }
  if (label === 'EPROTO' || label.startsWith('ERR_SSL_')) {
    const message = `${target.host} does not speak TLS as it should (${label})`;
    return { message, advice: 'Check scheme, host and port in api-url.', reached: false };
  }
  return { message: `no connection to ${where} (${label})`, advice: UNREACHABLE, reached: false };
}
