import { getProjects, getRegions } from './account.ts';
import { type ClientOptions, createClient } from './client.ts';
import type { Cloud } from './cloud.ts';
import { copyCustomImage, describeImages, terminateCustomImage } from './images.ts';
import { assumeRole, type Role } from './role.ts';
import { createTransport } from './transport.ts';

export interface CloudOptions extends Omit<ClientOptions, 'transport' | 'keys'> {
  userAgent: string;
  /** The keys assume this role first; every other call is signed with the temporary keys. */
  role?: Role | undefined;
  /** Called with each part of temporary keys before they are used: it must not be shown. */
  onSecret: (secret: string) => void;
  /** Where the proxies are read from: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in either case. */
  env: Record<string, string | undefined>;
}

/** The API over HTTP. `close` ends every connection within milliseconds. */
export function createCloud({
  userAgent,
  env,
  role,
  onSecret,
  ...options
}: CloudOptions): Cloud & { close(): Promise<void> } {
  const transport = createTransport({ userAgent, env });
  const own = createClient({ ...options, transport });
  const assumed = role && assumeRole(own, role, { clock: options.clock, onSecret });
  const client = assumed ? createClient({ ...options, transport, keys: assumed.keys }) : own;
  return {
    describeImages: (query, call) => describeImages(client, query, call),
    copyCustomImage: (request, call) => copyCustomImage(client, request, call),
    terminateCustomImage: (image, call) => terminateCustomImage(client, image, call),
    getRegions: (call) => getRegions(client, call),
    getProjects: (call) => getProjects(client, call),
    close: () => {
      assumed?.close();
      return transport.close();
    },
  };
}
