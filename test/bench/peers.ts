/**
 * What users would take instead, as far as it matters here: when each one polls, and how it submits.
 * From their published sources: the vendor's Packer plugin (builder/ucloud/uhost/step_copy_image.go with
 * packer-plugin-sdk's retry), the vendor's CLI (base/util.go with the Go SDK's helpers/waiter), and the waiter
 * `image-available` of the AWS SDKs. Whatever favours a peer and is in doubt is given to it.
 */
import { Agent, request } from 'node:http';
import { sign } from '../../src/cloud/signature.ts';
import type { Emulator } from '../emulator/emulator.ts';

/** Seconds to wait before the n-th poll, from 0. */
export interface Schedule {
  name: string;
  delay(poll: number): number;
  /** Seconds after which it gives up. */
  limit: number;
  /** Its polls of one round follow each other; otherwise each image has a poller of its own. */
  sequential: boolean;
}

const HOUR = 3_600;

export const PACKER: Schedule = {
  name: 'Packer plugin',
  delay: (poll) => (poll === 0 ? 0 : Math.min(12, 2 ** poll)),
  limit: HOUR,
  sequential: true,
};

export const SCHEDULES: readonly Schedule[] = [
  PACKER,
  {
    name: 'vendor CLI',
    delay: (poll) => (poll === 0 ? 0 : Math.min(10, 0.1 * 2 ** poll)),
    limit: 600,
    sequential: false,
  },
  { name: 'AWS waiter', delay: (poll) => (poll === 0 ? 0 : 15), limit: 600, sequential: false },
  {
    name: 'every 5 s',
    delay: (poll) => (poll === 0 ? 0 : 5),
    limit: Number.POSITIVE_INFINITY,
    sequential: false,
  },
];

export interface Noticed {
  /** Seconds from the end of the slowest copy until the waiter knows. */
  late: number;
  polls: number;
}

/** Plays a schedule on copies that take so many seconds, with a poll's answer `trip` seconds after its question. */
export function play(schedule: Schedule, copies: readonly number[], trip: number): Noticed {
  const pollers = schedule.sequential ? [copies] : copies.map((copy) => [copy]);
  let end = 0;
  let polls = 0;
  for (const watched of pollers) {
    let open = [...watched];
    let now = 0;
    for (let round = 0; open.length > 0; round++) {
      now += schedule.delay(round);
      open = open.filter((copy) => {
        polls += 1;
        now += trip;
        return now - trip / 2 < copy;
      });
    }
    end = Math.max(end, now);
  }
  return { late: end - Math.max(...copies), polls };
}

export interface Submitted {
  /** Seconds. */
  reads: number;
  copies: number;
}

/**
 * Submits as the plugin does: the three reads with which it checks its configuration (projects, regions, the source
 * image), then one CopyCustomImage a target, each call after the answer to the one before, on one kept connection.
 * The CLI makes the copies alone.
 */
export async function submitInSequence(emulator: Emulator, regions: readonly string[]): Promise<Submitted> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { region, sourceImageId, projects, keys } = emulator;
  const call = (fields: Record<string, string>) => {
    const signed = { ...fields, PublicKey: keys.publicKey };
    const body = new URLSearchParams({ ...signed, Signature: sign(signed, keys.privateKey) }).toString();
    return post(agent, emulator.url, body);
  };
  try {
    const start = performance.now();
    await call({ Action: 'GetProjectList' });
    await call({ Action: 'GetRegion' });
    await call({ Action: 'DescribeImage', Region: region, ImageId: sourceImageId });
    const read = performance.now();
    for (const target of regions) {
      await call({
        Action: 'CopyCustomImage',
        Region: region,
        SourceImageId: sourceImageId,
        TargetProjectId: projects.target,
        TargetRegion: target,
        TargetImageName: 'peer',
      });
    }
    return { reads: (read - start) / 1000, copies: (performance.now() - read) / 1000 };
  } finally {
    agent.destroy();
  }
}

function post(agent: Agent, url: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const sent = request(url, { method: 'POST', agent, headers }, async (response) => {
      try {
        let text = '';
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        const { RetCode, Message } = JSON.parse(text) as { RetCode: number; Message?: string };
        if (RetCode === 0) resolve();
        else reject(new Error(`The peer's call was refused: ${RetCode} ${Message}`));
      } catch (error) {
        reject(error);
      }
    });
    sent.on('error', reject).end(body);
  });
}
