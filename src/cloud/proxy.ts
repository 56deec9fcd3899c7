import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import { TransportError } from './explain.ts';

/** Milliseconds until a connection must stand, TLS included. */
const CONNECT_TIMEOUT = 10_000;

type Environment = Record<string, string | undefined>;

export interface ProxySetting {
  /** The environment variable that names it, as it is spelled. */
  variable: string;
  url: string;
}

/** HTTP/1.1, each origin through its proxy. Throws TransportError when the one for `url` cannot be used. */
export function createDispatcher(url: URL, env: Environment): Dispatcher {
  proxyFor(url, env);
  // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not hand signed requests or a token to anybody.
  const tls = { rejectUnauthorized: true };
  const direct = { allowH2: false, connect: { ...tls, timeout: CONNECT_TIMEOUT } };
  return new Agent({
    factory(origin) {
      const proxy = proxyFor(new URL(origin), env);
      if (!proxy) return new Pool(origin, direct);
      // A SOCKS5 proxy would be spoken to by TLS if it had settings for that.
      const proxyTls = proxy.url.startsWith('socks5:') ? {} : { proxyTls: tls };
      const through = { requestTls: tls, ...proxyTls, connectTimeout: CONNECT_TIMEOUT };
      return new ProxyAgent({ uri: proxy.url, allowH2: false, ...through });
    },
  });
}

/**
 * The proxy that a request goes through, chosen as curl and the runner do: HTTPS_PROXY is not HTTP_PROXY's fallback,
 * nor the reverse. Throws TransportError when it cannot be used.
 */
export function proxyFor(target: URL, env: Environment): ProxySetting | null {
  const small = target.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const variable = env[small]?.trim() ? small : small.toUpperCase();
  const value = env[variable]?.trim();
  const exempt = env.no_proxy || env.NO_PROXY;
  if (!value || (exempt && isListed(target, exempt))) return null;
  return { variable, url: parse(variable, value) };
}

/** The value itself is in no message: it may hold a password. */
function parse(variable: string, value: string): string {
  const written = value.includes('://') ? value : `http://${value}`;
  const wrong = (what: string, advice: string) =>
    new TransportError({ message: `the proxy in ${variable} ${what}`, advice, final: true }, false);
  const form = `Write ${variable} as http://host:port or http://user:password@host:port`;
  const other = /^(?!https?:|socks5h?:)[a-z][a-z0-9+.-]*:\/\//i.exec(written)?.[0];
  if (other) {
    const advice = `Use a proxy of http://, https:// or socks5:// (socks5h:// is the same here). ${form}.`;
    throw wrong(`is of a kind that is not supported (${other.toLowerCase()})`, advice);
  }
  if (written.includes('\\')) {
    const advice = `Write the backslash as %5C: http://DOMAIN%5Cuser:password@host:port.`;
    throw wrong('holds a backslash, and that ends the host in a URL', advice);
  }
  // The library lets a SOCKS5 proxy resolve names, which is what the h asks for.
  const url = URL.parse(written.replace(/^socks5h:/i, 'socks5:'));
  const malformed = () => wrong('is not a URL', `${form}, with special characters percent-encoded.`);
  if (!url?.hostname) throw malformed();
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    throw malformed();
  }
  if (!['', '/'].includes(url.pathname) || url.search || url.hash) {
    const advice = `${form}, and nothing after it. In a user or a password, write / as %2F, ? as %3F and # as %23.`;
    throw wrong('has a path, and a proxy has none', advice);
  }
  return url.href;
}

/** NO_PROXY: hosts, each with its subdomains (`*.` for these alone) and perhaps a port; `*` is every host. */
function isListed({ hostname, port, protocol }: URL, list: string): boolean {
  const bare = (name: string) => name.replace(/[[\]]|\.$/g, '');
  const host = bare(hostname);
  const actual = port || (protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]/).some((entry) => {
    // A lone IPv6 address has colons and no port.
    const { name = entry, only = actual } = /^(?<name>\[.*\]|[^:]*):(?<only>\d+)$/.exec(entry)?.groups ?? {};
    if (only !== actual) return false;
    const listed = bare(name.toLowerCase()).replace(/^\*?\./, '');
    return listed === '*' || (host === listed && !name.startsWith('*.')) || host.endsWith(`.${listed}`);
  });
}

/**
 * Lets one request go first, and the others when it is through: a directory locks an account after a few wrong logins,
 * and a step begins with dozens of calls at once. A proxy that refuses the login (HTTP 407) is asked once more, then
 * never again.
 */
export function createLogin(): <T>(send: () => Promise<T>, signal?: AbortSignal) => Promise<T> {
  let first: Promise<unknown> | null = null;
  let passed = false;
  let refused: TransportError | null = null;

  async function attempt<T>(send: () => Promise<T>): Promise<T> {
    try {
      const answer = await send();
      passed = true;
      refused = null;
      return answer;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      passed = error.reached;
      if (!error.login) throw error;
      refused = refused
        ? new TransportError({ ...error, message: error.message, final: true }, false)
        : error;
      throw refused;
    }
  }

  return async (send, signal) => {
    for (;;) {
      if (refused?.final) throw refused;
      if (passed) return await attempt(send);
      if (!first) break;
      await ended(first, signal);
    }
    const mine = attempt(send);
    first = mine;
    try {
      return await mine;
    } finally {
      first = null;
    }
  };
}

/** Waits for another's request. What did not reach the API failed for whoever waits for it, too. */
async function ended(request: Promise<unknown>, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const over = new AbortController();
  const cancelled = new Promise<void>((resolve) => {
    signal?.addEventListener('abort', () => resolve(), { signal: over.signal });
  });
  try {
    await Promise.race([request, cancelled]);
  } catch (error) {
    if (error instanceof TransportError && !error.reached) throw error;
  } finally {
    over.abort();
  }
}
