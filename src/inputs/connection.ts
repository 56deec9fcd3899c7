import type { Environment, Reader } from './reader.ts';

/** What it takes to speak to the API: all that the post step reads. Times in milliseconds. */
export interface Connection {
  url: string;
  publicKey: string;
  privateKey: string;
  securityToken?: string;
  channelKey?: string;
  /** The keys assume this role first. */
  role?: { urn: string; duration: number; sessionName: string };
}

const DEFAULT_URL = 'https://api.scloudsg.com/';

const HOUR = 3_600_000;

export function readConnection(reader: Reader): Connection {
  const { env } = reader;
  reader.secrets.push(...proxyPasswords(env));
  const publicKey = reader.key('public-key', 'UCLOUD_PUBLIC_KEY');
  const privateKey = reader.key('private-key', 'UCLOUD_PRIVATE_KEY');
  const securityToken = reader.key('security-token', 'UCLOUD_SECURITY_TOKEN', false);
  const urn = reader.text('role-urn');
  if (urn !== '' && !/^[\x21-\x7e]+:role\/[\x21-\x7e]+$/.test(urn))
    reader.mistake('role-urn', 'is not the URN of a role. It looks like ucs:iam::12345:role/promote.');
  else if (urn !== '' && securityToken !== '')
    reader.mistake(
      'role-urn',
      'Temporary keys cannot assume a role: set role-urn or security-token, not both.',
    );
  const duration = reader.duration('role-duration', HOUR, 12 * HOUR);
  if (duration < HOUR / 4) reader.mistake('role-duration', 'must be at least 15m.');
  const allowHttp = reader.boolean('allow-http', false);
  const url = reader.url('api-url', 'UCLOUD_API_BASE_URL', DEFAULT_URL, allowHttp);
  const channelKey = reader.key('channel-key', 'UCLOUD_CHANNEL_KEY', false);
  const sessionName = `copy-custom-image-${/^\d{1,40}$/.test(env.GITHUB_RUN_ID ?? '') ? env.GITHUB_RUN_ID : 'local'}`;
  return {
    url,
    publicKey,
    privateKey,
    ...(securityToken ? { securityToken } : {}),
    ...(channelKey ? { channelKey } : {}),
    ...(urn ? { role: { urn, duration, sessionName } } : {}),
  };
}

/** Signs the marks of the copies. A short one could be guessed, and would be masked wherever it stands by chance. */
export function readMarkSecret(reader: Reader): string {
  const secret = reader.key('mark-secret', null, false);
  // Taken for none, it would leave the marks unsigned.
  if (reader.isBlank('mark-secret'))
    reader.mistake('mark-secret', 'is white space only. Store the secret again, or leave mark-secret out.');
  if (secret !== '' && secret.length < 16) reader.mistake('mark-secret', 'must have at least 16 characters.');
  return secret;
}

/**
 * As it is written, and as it is meant. One of a few letters is left: the runner drops every output that holds a masked
 * text, and image ids would be among them.
 */
function proxyPasswords(env: Environment): string[] {
  return ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].flatMap((name) => {
    // By hand: a backslash in the user makes it another URL, or none, and the password stays a password.
    const [, written = ''] =
      /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^:@]*:(?!\/\/)(.*)@/i.exec(env[name]?.trim() ?? '') ?? [];
    if (written.length < 6) return [];
    try {
      return [written, decodeURIComponent(written)];
    } catch {
      return [written];
    }
  });
}
