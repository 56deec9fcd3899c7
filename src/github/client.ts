import type { getOctokit } from '@actions/github';
import { type Dispatcher, fetch } from 'undici';
import type { Clock } from '../cloud/clock.ts';
import { TransportError } from '../cloud/explain.ts';
import { whole } from '../promotion/words.ts';
import { oneLine } from '../text.ts';

/** How long to repeat what fails for a passing reason, for all of it together; milliseconds. */
const PATIENCE = 30_000;
const REQUEST_TIMEOUT = 20_000;

export interface GitHubOptions {
  /** GITHUB_TOKEN or another. Never logged, never in an error. */
  token: string;
  /** GITHUB_API_URL; GitHub Enterprise Server's ends with `/api/v3`. */
  apiUrl: string;
  /** `owner/name`. */
  repository: string;
  /** Where the proxies are read from. */
  env: Record<string, string | undefined>;
  signal?: AbortSignal;
  clock: Clock;
}

export type Octokit = ReturnType<typeof getOctokit>;
export type Release = Awaited<ReturnType<Octokit['rest']['repos']['getReleaseByTag']>>['data'];
export type Repository = { owner: string; repo: string };
export type Patiently = <T>(work: () => Promise<T>) => Promise<T>;

export async function connect(
  { token, apiUrl, signal }: GitHubOptions,
  dispatcher: Dispatcher,
): Promise<Octokit> {
  // It reads the proxies while it loads, and throws at one that is no URL: that has been told by now.
  const { getOctokit } = await import('@actions/github');
  const octokit = getOctokit(token, {
    baseUrl: apiUrl.replace(/\/+$/, ''),
    request: {
      // The library's warnings hold text from the API and would reach the log as it is.
      log: { debug() {}, info() {}, warn() {}, error() {} },
      fetch: (url: string, init: Parameters<typeof fetch>[1]) => {
        const timeout = AbortSignal.timeout(REQUEST_TIMEOUT);
        // Follows redirects, as renamed repositories need; what leaves the origin goes without the token.
        return fetch(url, {
          ...init,
          dispatcher,
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        });
      },
    },
  });
  octokit.hook.after('request', ({ status, data }, { url }) => {
    if (status === 204) return;
    const fault = (reason: string) => Object.assign(new Error(reason), { status: 500 });
    // A cut-off answer, or a gateway's page: the library hands it on as text.
    if (typeof data !== 'object' || data === null) throw fault('the answer is cut off, or no JSON');
    if (status === 200 && !isDocumented(data, url)) throw fault('the answer is not as GitHub documents it');
  });
  return octokit;
}

/** As far as it is used: each row of a list, and each asset of a release. */
function isDocumented(data: unknown, url: string): boolean {
  const isAsset = (one: { id?: unknown } | null) => Number.isInteger(one?.id);
  const isRelease = (one: { assets?: unknown; body?: unknown } | null) =>
    Array.isArray(one?.assets) && one.assets.every(isAsset) && typeof (one.body ?? '') === 'string';
  const [, kind] = /\/(releases|assets|tags)(?:\?|$|\/\{tag\})/.exec(url) ?? [];
  if (kind === 'tags') return isRelease(data as object) && isAsset(data as object);
  return !kind || (Array.isArray(data) && data.every(kind === 'assets' ? isAsset : isRelease));
}

/** Repeats what fails for a passing reason. */
export function createPatience({ clock, signal }: GitHubOptions): Patiently {
  const end = clock.now() + PATIENCE;
  return async (work) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        const delay = retryDelay(error, attempt, clock);
        if (delay === null || clock.now() + delay > end) throw error;
        await clock.sleep(delay, signal);
      }
    }
  };
}

/** Milliseconds until the request may be sent again; null when that would not help. */
function retryDelay(error: unknown, attempt: number, clock: Clock): number | null {
  const { status, headers } = details(error);
  const limited = isRateLimit(error);
  if (!limited && status < 500) return null;
  const asked = Number(headers['retry-after']) * 1000;
  const reset = limited && headers['x-ratelimit-remaining'] === '0' ? resetTime(headers) - clock.now() : 0;
  const backoff = 1000 * 2 ** attempt * (0.5 + clock.random() / 2);
  return Math.max(asked || reset, backoff);
}

/** Unix milliseconds; 0 when GitHub does not say. */
function resetTime(headers: Record<string, string>): number {
  return Number(headers['x-ratelimit-reset']) * 1000 || 0;
}

function isRateLimit(error: unknown): boolean {
  const { status, headers, text } = details(error);
  if (status === 429) return true;
  return (
    status === 403 &&
    ('retry-after' in headers || headers['x-ratelimit-remaining'] === '0' || /rate limit/i.test(text))
  );
}

/** GitHub will not change its mind: the token is wrong, or may not, or there is no such thing. */
export function isRefused(error: unknown): boolean {
  return [401, 403, 404].includes(details(error).status) && !isRateLimit(error);
}

/** A reason that needs no explaining. */
export class Stop extends Error {
  readonly advice: string;

  constructor(reason: string, advice: string) {
    super(reason);
    this.advice = advice;
  }
}

/** What octokit's error says. Its status is 500 when no answer came at all. */
export function details(error: unknown): {
  status: number;
  answered: boolean;
  headers: Record<string, string>;
  text: string;
} {
  const { status, response, message } = error as {
    status?: number;
    response?: { headers: Record<string, string> };
    message?: string;
  };
  return {
    status: status ?? 0,
    answered: response !== undefined,
    headers: response?.headers ?? {},
    text: message ?? '',
  };
}

/** Why no answer came: fetch wraps it more than once. */
function innermost(error: unknown): string {
  const { cause, message, code } = error as { cause?: unknown; message?: string; code?: string };
  return cause instanceof Error ? innermost(cause) : message || code || String(error);
}

/** `right` is what the token needs to the contents, `access` how it gets it, `again` what to do when it may pass. */
export interface Words {
  again: string;
  access: string;
  right: string;
}

export function explainFailure(
  error: unknown,
  { apiUrl, repository, clock }: GitHubOptions,
  { again, access, right }: Words,
): { reason: string; advice: string } {
  if (error instanceof TransportError)
    return { reason: `${error.message}.`, advice: `${error.advice} ${again}` };
  const { status, answered, headers, text } = details(error);
  const said = oneLine(answered ? text : innermost(error), 300);
  if (!answered)
    return {
      reason: `${apiUrl} gave no answer to work with (${said}).`,
      advice: `Check the runner's way to it: HTTPS_PROXY, NO_PROXY, and NODE_EXTRA_CA_CERTS for a private certificate. ${again}`,
    };
  const reason = `GitHub answered HTTP ${status}: ${whole(said)}`;
  if (status === 401) {
    return {
      reason,
      advice:
        "Leave github-token out to use the job's own token, or renew the token: it is wrong, revoked or expired.",
    };
  }
  if (isRateLimit(error)) {
    const asked = Number(headers['retry-after']) * 1000 || resetTime(headers) - clock.now();
    const minutes = Math.ceil(Math.max(asked, 60_000) / 60_000);
    return {
      reason,
      advice: `The token has used up its requests: wait ${minutes} min. ${again}`,
    };
  }
  if (status === 403 || status === 404)
    return { reason, advice: `The token needs ${right} to the contents of ${repository}: ${access}` };
  if (status >= 500) return { reason, advice: `GitHub may have an outage (githubstatus.com). ${again}` };
  return { reason, advice: `What GitHub says names the cause. ${again}` };
}
