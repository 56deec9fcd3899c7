import { getProjects, getRegions } from './account.ts';
import { type ClientOptions, createClient } from './client.ts';
import type { Cloud } from './cloud.ts';
import { copyCustomImage, describeImages, terminateCustomImage } from './images.ts';
import { createTransport } from './transport.ts';

export interface CloudOptions extends Omit<ClientOptions, 'transport'> {
  userAgent: string;
  /** Where the proxies are read from: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in either case. */
  env: Record<string, string | undefined>;
}

/** The API over HTTP. `close` ends every connection within milliseconds. */
export function createCloud({
  userAgent,
  env,
  ...options
}: CloudOptions): Cloud & { close(): Promise<void> } {
  const transport = createTransport({ userAgent, env });
  const client = createClient({ ...options, transport });
  return {
    describeImages: (query, call) => describeImages(client, query, call),
    copyCustomImage: (request, call) => copyCustomImage(client, request, call),
    terminateCustomImage: (image, call) => terminateCustomImage(client, image, call),
    getRegions: (call) => getRegions(client, call),
    getProjects: (call) => getProjects(client, call),
    close: () => transport.close(),
  };
}
