import { isIPv6 } from 'node:net';
import type { ProxySetting } from './proxy.ts';

interface Trouble {
  /** Goes after "failed: ", so it has no full stop. */
  message: string;
  advice: string;
  /** No repetition can help. */
  final?: boolean;
  /** The proxy refused the user or the password. */
  login?: boolean;
}

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly advice: string;
  /** False only when not one byte of the request was sent to the API. */
  readonly reached: boolean;
  readonly final: boolean;
  readonly login: boolean;

  constructor({ message, advice, final = false, login = false }: Trouble, reached: boolean) {
    super(message);
    this.advice = advice;
    this.reached = reached;
    this.final = final;
    this.login = login;
  }
}

export const LOST = 'The connection to the API was cut: re-run the job in a few minutes.';

const UNTRUSTED =
  'If a proxy or a private authority signs it, save the certificate of that authority to a file and name the file in the environment variable NODE_EXTRA_CA_CERTS of this step; verification is never turned off.';

export function unreachable(proxy: ProxySetting | null): string {
  return proxy
    ? `Check api-url, and that the proxy in ${proxy.variable} runs and lets this host through; list the host in NO_PROXY to reach it without the proxy.`
    : 'Check api-url and that the runner may reach it. If it must go through a proxy, set HTTPS_PROXY for this step (HTTP_PROXY for an address of http).';
}

/**
 * What an error of the library means. Only codes, hosts and ports are taken from it: its own words may hold a proxy's
 * URL. `started`: the first byte may have been sent.
 */
export function explain(
  error: Error,
  { target, started, proxy }: { target: URL; started: boolean; proxy: ProxySetting | null },
): TransportError {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const { code = error.name, hostname, address, port } = first as Record<string, unknown> & Error;
  const label = String(code);
  const where =
    hostname ?? (address ? `${isIPv6(String(address)) ? `[${address}]` : address}:${port}` : target.host);
  const variable = proxy?.variable ?? 'HTTPS_PROXY';
  const orProxy = proxy ? `api-url and in ${proxy.variable}` : 'api-url';
  const unsent = (message: string, advice: string, more: Partial<Trouble> = {}) =>
    new TransportError({ message, advice, ...more }, false);

  const refusal = /^Proxy response \((\d+)\)/.exec(error.message)?.[1];
  if (refusal === '407' || error.message.includes('Proxy Authentication Required')) {
    return unsent(
      `the proxy in ${variable} refused the user or the password (HTTP 407)`,
      `Correct the user and the password in ${variable}, with special characters percent-encoded; the proxy must accept Basic authentication. To reach the API without the proxy, list its host in NO_PROXY.`,
      { login: true },
    );
  }
  if (started && (label === 'HTTPParserError' || label === 'UND_ERR_HEADERS_OVERFLOW')) {
    const isLong = label === 'UND_ERR_HEADERS_OVERFLOW';
    const message = `what ${target.host} answers ${isLong ? 'has headers of more than 16 KB' : 'is not HTTP'}`;
    return new TransportError(
      { message, advice: 'Check scheme, host and port in api-url.', final: true },
      true,
    );
  }
  if (started) {
    const message = `the connection to ${target.host} broke before the answer was complete (${label})`;
    return new TransportError({ message, advice: LOST }, true);
  }
  if (refusal) {
    return unsent(
      `the proxy in ${variable} refused to connect to ${target.host} (HTTP ${refusal})`,
      `Ask whoever runs the proxy to let ${target.host} through, or list the host in NO_PROXY if the runner can reach it without a proxy.`,
    );
  }
  if (label === 'ENOTFOUND' || label === 'EAI_AGAIN') {
    const advice = `Check the spelling of the host in ${orProxy}, and the DNS of the runner.`;
    return unsent(`the name ${where} cannot be resolved (${label})`, advice);
  }
  if (label === 'ERR_TLS_CERT_ALTNAME_INVALID' || label === 'UND_ERR_PRX_TLS') {
    const message = `the certificate presented for ${target.host} belongs to another host (${label})`;
    return unsent(message, `Check the host in ${orProxy}.`, { final: true });
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(label)) {
    const message = `the certificate of ${target.host} is not trusted (${label})`;
    return unsent(message, UNTRUSTED, { final: true });
  }
  if (label === 'EPROTO' || label.startsWith('ERR_SSL_')) {
    const message = `${target.host} does not speak TLS as it should (${label})`;
    return unsent(message, `Check scheme, host and port in ${orProxy}.`, { final: true });
  }
  return unsent(`no connection to ${where} (${label})`, unreachable(proxy));
}
