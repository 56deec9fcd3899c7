import { randomBytes } from 'node:crypto';
import { isOwnParameter } from './cloud/images.ts';
import type { Order } from './promotion/model.ts';

export interface Inputs {
  api: { url: string; publicKey: string; privateKey: string; securityToken?: string };
  order: Order;
  rollback: 'never' | 'step' | 'job';
  summary: boolean;
  release?: { tag: string; token: string };
}

export interface Read {
  /** Keys and tokens, as they came and as they are used: to be masked before anything else. */
  secrets: string[];
  /**
   * One sentence each, each beginning with the name of its input, in the order of action.yml; allow-http alone comes
   * before the api-url that it permits.
   */
  mistakes: string[];
  notices: string[];
  /** Absent when there are mistakes. */
  inputs?: Inputs;
}

export type Environment = Record<string, string | undefined>;

const DEFAULT_URL = 'https://api.scloudsg.com/';

/** Five days: the longest that a job may run on a self-hosted runner. */
const LONGEST = 5 * 24 * 3_600_000;

/** Reads every input and tells all mistakes at once. Sends nothing, prints nothing. */
export function readInputs(env: Environment): Read {
  const reader = new Reader(env);
  const publicKey = reader.key('public-key', 'UCLOUD_PUBLIC_KEY');
  const privateKey = reader.key('private-key', 'UCLOUD_PRIVATE_KEY');
  const securityToken = reader.key('security-token', 'UCLOUD_SECURITY_TOKEN', false);
  const allowHttp = reader.boolean('allow-http', false);
  const url = reader.url('api-url', 'UCLOUD_API_BASE_URL', DEFAULT_URL, allowHttp);
  const region = reader.word(
    'region',
    'UCLOUD_REGION',
    'give the region of the source image, for example cn-bj2.',
  );
  const zone = reader.word('zone', null);
  const projectId = reader.word('project-id', 'UCLOUD_PROJECT_ID');
  const imageId = reader.word('source-image-id', null);
  const name = reader.text('source-image-name');
  if (imageId && name) {
    reader.mistake(
      'source-image-id',
      'and source-image-name exclude each other: give exactly one of the two.',
    );
  } else if (!imageId && !name) {
    reader.mistake('source-image-id', 'is missing: give it, or source-image-name, for the image to copy.');
  }
  const targetProject = reader.word(
    'target-project-id',
    null,
    'give the project to copy to, for example org-abc123.',
  );
  const regions = reader.list('target-regions');
  const targetName = reader.imageName('target-image-name');
  const description = reader.text('target-image-description');
  const tag = reader.text('target-image-tag');
  const extraParameters = reader.parameters('extra-parameters');
  const wait = reader.boolean('wait', true);
  const timeout = reader.duration('timeout', 2 * 3_600_000);
  const pollInterval = reader.duration('poll-interval', null);
  const ifExists = reader.choice('if-exists', ['adopt', 'copy', 'fail']);
  const rollback = reader.choice('rollback', ['never', 'step', 'job']);
  const dryRun = reader.boolean('dry-run', false);
  const summary = reader.boolean('summary', true);
  const releaseTag = reader.text('release-tag');
  const githubToken = reader.key('github-token', null, false);
  if (releaseTag && !githubToken) {
    reader.mistake(
      'github-token',
      'is empty, and release-tag needs it: leave it out to use the token of the job.',
    );
  }
  const read: Read = {
    secrets: [...reader.secrets, ...proxyPasswords(env)],
    mistakes: reader.mistakes,
    notices: reader.notices,
  };
  if (read.mistakes.length > 0) return read;
  read.inputs = {
    api: { url, publicKey, privateKey, ...(securityToken ? { securityToken } : {}) },
    order: {
      source: {
        region,
        ...(zone ? { zone } : {}),
        ...(projectId ? { projectId } : {}),
        ...(imageId ? { imageId } : { name }),
      },
      target: {
        projectId: targetProject,
        regions: regions.length > 0 ? regions : [region],
        ...(targetName ? { name: targetName } : {}),
        ...(description ? { description } : {}),
        ...(tag ? { tag } : {}),
      },
      extraParameters,
      ifExists,
      wait,
      timeout: timeout ?? 0,
      ...(pollInterval === null ? {} : { pollInterval }),
      dryRun,
      run: runName(env),
    },
    rollback,
    summary,
    ...(releaseTag ? { release: { tag: releaseTag, token: githubToken } } : {}),
  };
  return read;
}

/**
 * As it is written, and as it is meant. One of a few letters is left: the runner drops every output that holds a masked
 * text, and image ids would be among them.
 */
function proxyPasswords(env: Environment): string[] {
  return ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].flatMap((name) => {
    const address = env[name] ?? '';
    const written = URL.parse(address.includes('://') ? address : `http://${address}`)?.password ?? '';
    if (written.length < 6) return [];
    try {
      return [written, decodeURIComponent(written)];
    } catch {
      return [written];
    }
  });
}

/** Names the run for whoever reads the mark, and this one step of it by six random letters. */
function runName(env: Environment): string {
  const run = /^\d+$/.test(env.GITHUB_RUN_ID ?? '')
    ? `${env.GITHUB_RUN_ID}-${env.GITHUB_RUN_ATTEMPT ?? '1'}`
    : 'local';
  return `${run}-${randomBytes(4).readUInt32LE().toString(36).padStart(7, '0').slice(-6)}`;
}

class Reader {
  readonly secrets: string[] = [];
  readonly mistakes: string[] = [];
  readonly notices: string[] = [];
  private readonly env: Environment;

  constructor(env: Environment) {
    this.env = env;
  }

  mistake(input: string, text: string): void {
    this.mistakes.push(`${input} ${text}`);
  }

  private missing(input: string, variable: string | null, remedy: string): void {
    this.mistake(input, `is missing${variable ? ` (${variable} is not set either)` : ''}: ${remedy}`);
  }

  /** The runner passes `a-name` as INPUT_A-NAME. An empty input counts as not given. */
  private raw(input: string, variable: string | null): { value: string; from: string } {
    const given = this.env[`INPUT_${input.toUpperCase()}`] ?? '';
    if (given.trim() !== '' || variable === null) return { value: given, from: input };
    return { value: this.env[variable] ?? '', from: `${input} (from ${variable})` };
  }

  text(input: string): string {
    return this.raw(input, null).value.trim();
  }

  /** An id or a region: no spaces, no control characters. It must be there when there is a `remedy` for its absence. */
  word(input: string, variable: string | null, remedy?: string): string {
    const { value, from } = this.raw(input, variable);
    const word = value.trim();
    if (word === '') {
      if (remedy) this.missing(input, variable, remedy);
    } else if (!/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(word)) {
      this.mistake(from, `is no id: ${shown(word)}. It takes letters, digits and - . _ : only.`);
    }
    return word;
  }

  key(input: string, variable: string | null, required = true): string {
    const { value, from } = this.raw(input, variable);
    const key = value.trim();
    if (key !== '') this.secrets.push(...new Set([key, value]));
    if (key !== value && key !== '')
      this.notices.push(`${from}: white space or a line break around the value was removed.`);
    if (key === '' && required) {
      this.missing(
        input,
        variable,
        'pass it from a secret. Secrets are empty in a pull request from a fork, and when the name is mistyped.',
      );
    } else if (/\s/.test(key)) {
      this.mistake(from, 'has white space or a line break inside: store the secret again, in one line.');
    } else if (!/^[\x21-\x7e]*$/.test(key)) {
      this.mistake(from, 'has characters that no key has: store the secret again.');
    }
    return key;
  }

  boolean(input: string, otherwise: boolean): boolean {
    const value = this.text(input);
    if (value === '') return otherwise;
    if (/^(true|True|TRUE)$/.test(value)) return true;
    if (!/^(false|False|FALSE)$/.test(value))
      this.mistake(input, `must be true or false, not ${shown(value)}.`);
    return false;
  }

  choice<const T extends string>(input: string, choices: readonly [T, ...T[]]): T {
    const value = this.text(input);
    if (value === '') return choices[0];
    const chosen = choices.find((choice) => choice === value);
    if (!chosen) this.mistake(input, `must be one of ${choices.join(', ')}, not ${shown(value)}.`);
    return chosen ?? choices[0];
  }

  /** Milliseconds. */
  duration(input: string, otherwise: number | null): number | null {
    const value = this.text(input);
    if (value === '') return otherwise;
    const [whole, hours, minutes, seconds] =
      /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/.exec(value) ?? [];
    const ms = ((Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60 + Number(seconds ?? 0)) * 1000;
    if (!whole) this.mistake(input, `is no duration: ${shown(value)}. Write it as 90s, 45m or 1h30m.`);
    else if (ms < 1000) this.mistake(input, 'must be at least 1s.');
    else if (ms > LONGEST) this.mistake(input, 'must be at most 120h.');
    return ms;
  }

  list(input: string): string[] {
    const words = this.text(input).split(/[\n,]/);
    const items = [...new Set(words.map((word) => word.trim()).filter((word) => word !== ''))];
    if (words.length > 1 && items.length === 0)
      this.mistake(input, 'names no region: leave it out for the source region.');
    const wrong = items.filter((item) => !/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(item));
    if (wrong.length > 0) {
      this.mistake(
        input,
        `has what is no region: ${wrong.map(shown).join(', ')}. Give one a line, or separate them by commas.`,
      );
    }
    return items;
  }

  imageName(input: string): string {
    const name = this.text(input);
    if (name !== '' && !/^[\p{Script=Han}A-Za-z0-9\-_,.:[\]]{1,63}$/u.test(name)) {
      this.mistake(
        input,
        `is no image name: ${shown(name)}. It takes 1 to 63 letters, digits and - _ , . : [ ] without spaces.`,
      );
    }
    return name;
  }

  parameters(input: string): Record<string, string> {
    const parameters = new Map<string, string>();
    this.raw(input, null)
      .value.split('\n')
      .forEach((line, index) => {
        if (line.trim() === '') return;
        const at = line.indexOf('=');
        const name = line.slice(0, Math.max(0, at)).trim();
        const where = `${input} line ${index + 1}`;
        if (!/^[A-Za-z][A-Za-z0-9_.-]{0,127}$/.test(name))
          this.mistake(where, 'is not of the form Name=Value.');
        else if (isOwnParameter(name)) this.mistake(where, `sets ${name}, which the action sets itself.`);
        else if (parameters.has(name)) this.mistake(where, `sets ${name} a second time.`);
        else parameters.set(name, line.slice(at + 1).trim());
      });
    return Object.fromEntries(parameters);
  }

  url(input: string, variable: string, otherwise: string, allowHttp: boolean): string {
    const { value, from } = this.raw(input, variable);
    const given = value.trim();
    if (given === '') return otherwise;
    const url = URL.parse(given);
    if (!url || !/^https?:$/.test(url.protocol)) {
      this.mistake(from, `is no URL: write it like ${DEFAULT_URL}`);
      return otherwise;
    }
    const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
    if (url.username || url.password || url.search || url.hash) {
      this.mistake(from, 'must be a plain base URL, without user, password, query or fragment.');
    } else if (url.protocol === 'http:' && !isLoopback && !allowHttp) {
      this.mistake(from, `must be https, not http://${url.host}. For the VPC endpoint set allow-http: true.`);
    }
    return url.href;
  }
}

/** A wrong value as it is told: short, on one line. */
function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
