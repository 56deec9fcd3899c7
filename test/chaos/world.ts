import { TransportError } from '../../src/cloud/explain.ts';
import type { Transport, TransportAnswer } from '../../src/cloud/transport.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Effect, Fate, Fault, Scenario } from './scenario.ts';

/**
 * A model of the cloud in virtual time, written from the facts about the API alone. It assumes what LISTING_WINDOW assumes: a
 * copy is executed at most 60 s after it was sent, and an image is listed at most 50 s after it was made.
 */

export const SOURCE_REGION = 'cn-bj2';
export const SOURCE_PROJECT = 'org-build';
export const TARGET_PROJECT = 'org-prod';
export const SOURCE_ID = 'uimage-source';
export const NAME = 'web-1.4.2';
export const REGIONS = ['hk', 'sg', 'us-ca', SOURCE_REGION, 'ge-fra'] as const;

/** What CopyCustomImage says with a code: the documented table. Codes of neither list are ambiguous. */
const FINAL = new Set([
  160, 161, 170, 171, 172, 174, 220, 230, 292, 293, 294, 295, 299, 8095, 8104, 8226, 8300, 8956, 8958, 8959,
  8970,
]);
const REFUSED = new Set([153, 8961, 8962, 8980]);
export const PASSING_READS = new Set([110, 130, 150, 153, 8022, 8024, 8825, 8861, 8874, 8889, 8971, 8980]);
export const CODES = [...FINAL, ...REFUSED, ...PASSING_READS, 8960, 4711];

/** Who made an image: a run of the scenario by its number, a run of ours before the scenario, or somebody else. */
export type Maker = number | 'earlier' | 'somebody';

export interface ModelImage {
  id: string;
  region: string;
  project: string;
  name: string;
  description: string;
  maker: Maker;
  /** A site that ignores the list of a batch makes one where nobody asked for it. */
  asked: boolean;
  /** It is a copy of the scenario's source. */
  ofSource: boolean;
  madeAt: number;
  listedAt: number;
  fate: Fate;
  deleted: { at: number; by: 'somebody' | 'us' } | null;
  /** What the call that made it told its caller. */
  told: 'id' | 'nothing' | 'unclear' | 'refused';
}

/** A step of the workflow, as a process that can be killed. */
export interface Process {
  run: number;
  phase: 'main' | 'post';
  alive: boolean;
}

interface Reply {
  status: number;
  body: string;
}

interface Pending {
  run: number;
  region: string;
  refused: boolean;
}

export class World {
  readonly images: ModelImage[] = [];
  readonly log: string[] = [];
  readonly violations: string[] = [];
  /** How often each kind of fault has really struck. */
  readonly struck = new Map<string, number>();
  /** Ids that a living process was given, to be checked by whoever plays the scenario. */
  onIds: (process: Process, ids: string[]) => void = () => undefined;
  onCall: (process: Process, action: string) => void = () => undefined;
  /** Faults that may make a promotion fail by right. */
  hard = 0;
  faulty = true;
  /** When the running step was cancelled. */
  cancelledAt: number | null = null;
  copyCalls = 0;
  /** Regions in which this run had an answer that may stand for an image. */
  readonly unclear = new Set<string>();
  private bucket: { left: number; at: number } | null = null;
  /** Copies that were sent and will be executed. */
  readonly pending = new Set<Pending>();
  private readonly clock: VirtualClock;
  private readonly scenario: Scenario;
  private readonly counts = new Map<string, number>();
  private readonly copiesIn = new Map<string, number>();
  private readonly times: number[] = [];
  private serial = 0;

  constructor(clock: VirtualClock, scenario: Scenario) {
    this.clock = clock;
    this.scenario = scenario;
    this.add({
      id: SOURCE_ID,
      region: SOURCE_REGION,
      project: SOURCE_PROJECT,
      ofSource: true,
      description: 'base',
    });
    for (let index = 0; index < scenario.site.others; index++) {
      for (const { region } of this.targets())
        this.add({ region, name: `other-${index}`, description: 'other' });
    }
    for (const { region, held, strangers } of this.targets()) {
      // No copy can be beside its source.
      if (scenario.sameProject && region === SOURCE_REGION) continue;
      for (const kind of held) this.addHeld(region, kind);
      for (const { after, bare, same } of strangers) {
        clock.after(after * 1000, () => {
          this.strike('stranger appears');
          const fate: Fate = { seconds: 0, end: same ? 'Available' : 'differs', odd: false, listedAfter: 0 };
          this.note(
            `somebody makes ${this.add({ region, description: bare ? '' : 'mine', fate }).id} in ${region}`,
          );
        });
      }
    }
  }

  targets() {
    return this.scenario.targets.map((target, index) => ({ ...target, region: REGIONS[index] ?? 'nowhere' }));
  }

  project(): string {
    return this.scenario.sameProject ? SOURCE_PROJECT : TARGET_PROJECT;
  }

  strike(kind: string): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  note(line: string): void {
    this.log.push(`${(this.clock.elapsed / 1000).toFixed(2).padStart(9)}  ${line}`);
  }

  violate(what: string): void {
    this.note(`VIOLATION: ${what}`);
    this.violations.push(what);
  }

  stateOf({ madeAt, fate }: ModelImage, at = this.clock.elapsed): string {
    const age = at - madeAt;
    if (age >= fate.seconds * 1000 && fate.end !== 'stuck')
      return fate.end === 'Unavailable' ? 'Unavailable' : 'Available';
    if (fate.odd) return 'Syncing';
    return age < fate.seconds * 300 ? 'Making' : 'Copying';
  }

  isLive(image: ModelImage, at?: number): boolean {
    return image.deleted === null && this.stateOf(image, at) !== 'Unavailable';
  }

  isListed(image: ModelImage): boolean {
    return image.deleted === null && this.clock.elapsed >= image.listedAt;
  }

  private addHeld(region: string, kind: Scenario['targets'][number]['held'][number]): void {
    const seconds = kind === 'earlier copying' ? 40 : 0;
    const end =
      kind === 'earlier broken' ? 'Unavailable' : kind === 'earlier differs' ? 'differs' : 'Available';
    const other = kind === 'of another source';
    const ours = !other && kind !== 'namesake';
    this.add({
      region,
      ...(kind === 'other name' ? { name: 'web-1.4.1' } : {}),
      description:
        ours || other
          ? `base [copy of ${SOURCE_REGION}/${other ? 'uimage-other' : SOURCE_ID} by 77-1-old000]`
          : '',
      maker: ours ? 'earlier' : 'somebody',
      ofSource: ours,
      fate: { seconds, end, odd: false, listedAfter: 0 },
    });
  }

  private add(given: Partial<ModelImage>): ModelImage {
    const now = this.clock.elapsed;
    const { fate = { seconds: 0, end: 'Available', odd: false, listedAfter: 0 } } = given;
    const kept = this.scenario.site.description;
    const image: ModelImage = {
      id: `uimage-${given.maker === 'somebody' || given.maker === undefined ? 'x' : 'c'}${++this.serial}`,
      region: SOURCE_REGION,
      project: this.project(),
      name: NAME,
      maker: 'somebody',
      asked: true,
      ofSource: false,
      madeAt: now,
      listedAt: now + fate.listedAfter * 1000,
      deleted: null,
      told: 'nothing',
      ...given,
      fate,
      description: (given.description ?? '').slice(0, kept ?? undefined),
    };
    this.images.push(image);
    if (fate.removedAfter !== undefined) {
      this.clock.after(fate.removedAfter * 1000, () => {
        if (image.deleted) return;
        this.note(`somebody deletes ${image.id}`);
        this.strike('somebody deletes a copy');
        image.deleted = { at: this.clock.elapsed, by: 'somebody' };
      });
    }
    return image;
  }

  transportFor(process: Process): Transport {
    return {
      send: (request) => this.send(process, request),
      close: async () => undefined,
    };
  }

  private async send(
    process: Process,
    { body, timeout, signal }: Parameters<Transport['send']>[0],
  ): Promise<TransportAnswer> {
    signal?.throwIfAborted();
    const form = new URLSearchParams(body);
    const action = form.get('Action') ?? '';
    const serial = (this.counts.get(action) ?? 0) + 1;
    this.counts.set(action, serial);
    this.onCall(process, action);
    this.countCall();
    const regions = action === 'CopyCustomImage' ? this.regionsOf(form) : [];
    if (action === 'CopyCustomImage') this.checkCopy(process, regions);
    const effect = this.faulty ? this.effectOf(action, serial, form) : null;
    const label = `${action} ${serial} ${form.get('ImageId') ?? (regions.join(',') || (form.get('Region') ?? ''))}`;
    const told = effect ? ` [${describe(effect)}]` : '';
    this.note(`run ${process.run} ${process.phase}: ${label}${told}`);
    if (effect) this.count(effect, action);

    const play = this.play(effect, action, form, process, timeout);
    const sentAt = this.clock.elapsed;
    try {
      await this.clock.sleep(Math.min(play.answerAfter, timeout), signal);
    } catch (reason) {
      if (action === 'CopyCustomImage') this.checkPatience(sentAt + play.answerAfter);
      throw reason;
    }
    if (!process.alive) return new Promise(() => undefined);
    const reply = play.answerAfter >= timeout ? null : play.reply();
    this.noteAnswer(label, reply, effect);
    if (action === 'CopyCustomImage') this.judgeAnswer(process, regions, effect, reply);
    if (!reply)
      throw new TransportError({ message: 'broken', advice: 'Try again.' }, effect?.kind !== 'refused');
    return { status: reply.status, headers: { 'x-ucloud-request-uuid': `id-${serial}` }, body: reply.body };
  }

  /** An answer that comes within two seconds after a cancel is worth waiting for: it holds an id. */
  private checkPatience(answerAt: number): void {
    this.strike('cancel while a copy is in flight');
    if (this.cancelledAt !== null && answerAt - this.cancelledAt < 2_000)
      this.violate('a cancel does not wait for an answer that was about to come');
  }

  private noteAnswer(label: string, reply: Reply | null, effect: Effect | null): void {
    const words = reply
      ? reply.body.length > 160
        ? `${reply.body.slice(0, 160)}…`
        : reply.body
      : 'no answer';
    if (effect || label.startsWith('Copy') || label.startsWith('Terminate'))
      this.note(`  ${label} -> ${words}`);
  }

  /** When the call runs, in the cloud; when its answer is there, and which. */
  private play(
    effect: Effect | null,
    action: string,
    form: URLSearchParams,
    process: Process,
    timeout: number,
  ): { answerAfter: number; reply: () => Reply | null } {
    const latency = this.scenario.site.latency;
    let result: Reply = { status: 500, body: '' };
    const isCopy = action === 'CopyCustomImage';
    const run = (seconds: number | null, how: ModelImage['told']) => {
      if (seconds === null) return;
      const regions = isCopy ? this.regionsOf(form) : [];
      const pending = regions.map((region) => ({ run: process.run, region, refused: how === 'refused' }));
      for (const one of pending) this.pending.add(one);
      this.clock.after(Math.max(latency / 2, seconds * 1000), () => {
        for (const one of pending) this.pending.delete(one);
        result = this.execute(action, form, process, effect, how);
      });
    };
    const fixed = (status: number, body: string) => ({
      answerAfter: latency,
      reply: () => ({ status, body }),
    });
    switch (effect?.kind) {
      case undefined:
      case 'blink':
        run(0, 'id');
        return {
          answerAfter: latency,
          reply: () => (effect ? { status: 200, body: ok(action, { ImageSet: [], TotalCount: 0 }) } : result),
        };
      case 'slow':
        run(effect.seconds / 2, 'id');
        return { answerAfter: effect.seconds * 1000, reply: () => result };
      case 'refused':
        return { answerAfter: latency, reply: () => null };
      case 'lost':
        run(effect.executed, 'unclear');
        return { answerAfter: Math.max(latency, effect.after * 1000), reply: () => null };
      case 'hang':
        run(effect.executed, 'unclear');
        return { answerAfter: timeout, reply: () => null };
      case 'http':
        if (effect.status >= 500) run(effect.executed, 'unclear');
        return fixed(effect.status, '<html>out of order</html>');
      case 'code': {
        const clear = FINAL.has(effect.code) || REFUSED.has(effect.code);
        run(effect.executed, clear ? 'refused' : 'unclear');
        return fixed(
          200,
          JSON.stringify({ RetCode: effect.code, Action: `${action}Response`, Message: 'as told' }),
        );
      }
      case 'garbage':
        run(effect.executed, 'unclear');
        return fixed(200, '<html>sign in</html>');
      case 'truncated':
        run(0, 'unclear');
        return {
          answerAfter: latency,
          reply: () => ({ ...result, body: result.body.slice(0, Math.max(1, result.body.length - 9)) }),
        };
      case 'partial':
        run(0, 'id');
        return { answerAfter: latency, reply: () => result };
    }
  }

  private count(effect: Effect, action: string): void {
    const short = { CopyCustomImage: 'copy', TerminateCustomImage: 'delete' }[action] ?? 'read';
    const executed =
      'executed' in effect && short !== 'read'
        ? effect.executed === null
          ? ', not executed'
          : effect.executed > 1
            ? ', executed late'
            : ', executed'
        : '';
    const kind =
      effect.kind === 'http' ? (effect.status >= 500 ? '5xx' : String(effect.status)) : effect.kind;
    this.strike(`${short} ${kind}${executed}`);
    if (effect.kind === 'code' && short === 'copy') this.strike(`copy code ${effect.code}${executed}`);
    if (isHard(effect, action)) this.hard++;
  }

  private effectOf(action: string, serial: number, form: URLSearchParams): Effect | null {
    const matches = ({ on, nth, count }: Fault) => {
      const group = action.startsWith('Get') ? 'GetRegion' : action;
      return on === group && serial >= nth && serial < nth + count;
    };
    const effect = this.scenario.faults.find(matches)?.effect ?? null;
    if (!effect) return null;
    if (effect.kind === 'partial' && action !== 'CopyCustomImage') return null;
    if (
      effect.kind === 'blink' &&
      (action !== 'DescribeImage' || !form.get('ImageId') || form.get('ImageId') === SOURCE_ID)
    )
      return null;
    // It says that the image is gone, which is no fault but a lie.
    if (effect.kind === 'code' && effect.code === 8956 && action === 'TerminateCustomImage') return null;
    // It would be true: the target is the source.
    if (effect.kind === 'code' && effect.code === 8962 && this.regionsOf(form).includes(SOURCE_REGION))
      return null;
    return effect;
  }

  private regionsOf(form: URLSearchParams): string[] {
    const listed = [...form]
      .filter(([name]) => name.startsWith('TargetRegionList.'))
      .map(([, value]) => value);
    if (listed.length > 0) return listed;
    return [form.get('TargetRegion') ?? form.get('Region') ?? ''];
  }

  /** A copy must not be sent where an earlier one of the run is, or is about to be, unless that one was refused. */
  private checkCopy(process: Process, regions: string[]): void {
    this.copyCalls++;
    for (const region of regions) {
      const image = this.images.find(
        (other) =>
          other.maker === process.run &&
          other.region === region &&
          this.isLive(other) &&
          other.told !== 'refused',
      );
      if (image)
        this.violate(`CopyCustomImage is sent for ${region} though this run has made ${image.id} there`);
      for (const pending of this.pending) {
        if (pending.run === process.run && pending.region === region && !pending.refused)
          this.violate(`CopyCustomImage is sent for ${region} while an earlier one may still be executed`);
      }
    }
  }

  private judgeAnswer(process: Process, regions: string[], effect: Effect | null, reply: Reply | null): void {
    let body: {
      RetCode?: number;
      TargetImageId?: string;
      Infos?: { TargetRegion: string; TargetImageId: string }[];
    } = {};
    try {
      body = JSON.parse(reply?.body ?? '{}');
    } catch {}
    const made = body.RetCode === 0 && reply?.status === 200;
    const ids = made
      ? [body.TargetImageId ?? '', ...(body.Infos ?? []).map((info) => info.TargetImageId)]
      : [];
    const known = ids.filter((id) => id !== '');
    if (known.length > 0) this.onIds(process, known);
    const sure =
      effect?.kind === 'refused' ||
      (body.RetCode !== undefined && (FINAL.has(body.RetCode) || REFUSED.has(body.RetCode)));
    for (const region of regions) {
      const named =
        body.Infos?.some((info) => info.TargetRegion === region && info.TargetImageId) ||
        (regions.length === 1 && body.TargetImageId);
      if (!sure && !(made && named)) this.unclear.add(region);
    }
  }

  /** More than so many calls within a minute are a loop without a pause. */
  private countCall(): void {
    const now = this.clock.elapsed;
    this.times.push(now);
    const most = 150 * (this.scenario.targets.length + 2);
    const early = this.times.at(-most);
    if (this.times.length > most && early !== undefined && now - early < 60_000) {
      this.violate(`${most} calls within a minute`);
      throw new Error('a loop without a pause');
    }
  }

  private execute(
    action: string,
    form: URLSearchParams,
    process: Process,
    effect: Effect | null,
    how: ModelImage['told'],
  ): Reply {
    const answer = (fields: object) => ({ status: 200, body: ok(action, fields) });
    const refuse = (code: number) => ({
      status: 200,
      body: JSON.stringify({ RetCode: code, Action: `${action}Response`, Message: 'no' }),
    });
    if (this.isThrottled()) {
      this.strike('throttled by the site');
      return refuse(153);
    }
    if (action === 'GetRegion') {
      const regions = [...new Set([SOURCE_REGION, ...REGIONS])];
      return answer({
        Regions: regions.map((Region) => ({ Region, Zone: `${Region}-01`, IsDefault: false })),
      });
    }
    if (action === 'GetProjectList') {
      return answer({
        ProjectSet: [
          { ProjectId: SOURCE_PROJECT, ProjectName: 'build', IsDefault: true },
          { ProjectId: TARGET_PROJECT, ProjectName: 'prod', IsDefault: false },
        ],
      });
    }
    const project = form.get('ProjectId') ?? SOURCE_PROJECT;
    if (action === 'DescribeImage') return this.describe(form, project, answer, refuse);
    if (action === 'TerminateCustomImage') return this.terminate(form, project, process, answer, refuse);
    return this.copy(form, process, effect, how, answer, refuse);
  }

  private isThrottled(): boolean {
    const { throttle } = this.scenario.site;
    if (!throttle) return false;
    const now = this.clock.elapsed;
    const { left, at } = this.bucket ?? { left: throttle.burst, at: now };
    const there = Math.min(throttle.burst, left + ((now - at) / 1000) * throttle.rate);
    this.bucket = { left: there >= 1 ? there - 1 : there, at: now };
    return there < 1;
  }

  private describe(
    form: URLSearchParams,
    project: string,
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const id = form.get('ImageId');
    const found = this.images.filter(
      (image) =>
        image.region === form.get('Region') &&
        image.project === project &&
        this.isListed(image) &&
        (id === null || image.id === id),
    );
    if (this.scenario.site.newestFirst) found.reverse();
    if (id !== null && found.length === 0 && this.scenario.site.missingIsAnError) return refuse(8956);
    const { page, total } = this.scenario.site;
    const offset = Number(form.get('Offset') ?? 0);
    const rows = found.slice(offset, offset + Math.min(page, Number(form.get('Limit') ?? 20)));
    return answer({
      ...(total ? { TotalCount: found.length } : {}),
      ImageSet: rows.map((image) => ({
        ImageId: image.id,
        ImageName: image.name,
        ImageDescription: image.description,
        ImageType: 'Custom',
        State: this.stateOf(image),
        OsType: 'Linux',
        OsName: image.fate.end === 'differs' ? 'CentOS 7' : 'Ubuntu 24.04',
        ImageSize: 40,
        Features: ['CloudInit'],
        CreateTime: Math.floor((this.clock.start + image.madeAt) / 1000),
      })),
    });
  }

  private terminate(
    form: URLSearchParams,
    project: string,
    process: Process,
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const id = form.get('ImageId') ?? '';
    const image = this.images.find(
      (other) => other.id === id && other.region === form.get('Region') && other.project === project,
    );
    if (image && image.maker !== process.run)
      this.violate(
        `${id} is deleted by run ${process.run}, but ${image.maker === 'somebody' ? 'somebody else' : image.maker === 'earlier' ? 'an earlier run' : `run ${image.maker}`} made it`,
      );
    if (!image || image.deleted) return refuse(8956);
    const { refusal } = this.scenario.site;
    const busy = ['Copying', 'Making', 'Syncing'].includes(this.stateOf(image));
    if (refusal && busy && this.clock.elapsed < image.madeAt + refusal.seconds * 1000) {
      this.strike('delete refused while copying');
      return refuse(refusal.code);
    }
    this.checkDeletion(image, process);
    image.deleted = { at: this.clock.elapsed, by: 'us' };
    this.strike('an image of the run is deleted');
    return answer({});
  }

  /** Without rollback only doubles and images in places that nobody wanted are deleted. */
  private checkDeletion(image: ModelImage, { run, phase }: Process): void {
    const { rollback } = this.scenario.runs[run] ?? { rollback: 'never' };
    if (rollback !== 'never') return;
    // When it was last listed. What broke since then could not be known: a delete that is refused is repeated for 30 s.
    const asListed = this.clock.elapsed - 30_000 - 2 * this.scenario.site.latency;
    const twin = this.images.some(
      (other) =>
        other !== image &&
        other.maker === run &&
        other.region === image.region &&
        this.isLive(other, asListed),
    );
    if (phase === 'post' || (image.asked && !twin))
      this.violate(`${image.id} is deleted without rollback, and is no double`);
  }

  private copy(
    form: URLSearchParams,
    process: Process,
    effect: Effect | null,
    how: ModelImage['told'],
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const project = form.get('TargetProjectId') ?? '';
    const asked = this.regionsOf(form);
    const isBatch = form.has('TargetRegionList.0');
    const ignored = isBatch && !this.scenario.site.batch;
    const regions = ignored ? [SOURCE_REGION] : asked;
    if (form.get('SourceImageId') !== SOURCE_ID) return refuse(8956);
    if (project === SOURCE_PROJECT && regions.includes(SOURCE_REGION)) return refuse(8962);
    const dropped = effect?.kind === 'partial' ? regions[effect.which % regions.length] : undefined;
    const infos: { TargetRegion: string; TargetImageId: string; TaskId: string }[] = [];
    for (const region of regions) {
      const gap = region === dropped && effect?.kind === 'partial' ? effect : null;
      const make = () =>
        this.make(form, region, project, process.run, gap ? 'unclear' : how, asked.includes(region));
      let id = '';
      if (!gap || gap.executed === 0) id = make().id;
      else if (gap.executed !== null) {
        const pending = { run: process.run, region, refused: false };
        this.pending.add(pending);
        this.clock.after(gap.executed * 1000, () => {
          this.pending.delete(pending);
          make();
        });
      }
      if (gap?.empty) infos.push({ TargetRegion: region, TargetImageId: '', TaskId: '' });
      else if (!gap) infos.push({ TargetRegion: region, TargetImageId: id, TaskId: `task-${id}` });
    }
    if (isBatch && !ignored && !this.scenario.site.answersOne) return answer({ Infos: infos });
    if (isBatch && !ignored) this.strike('batch answered as one copy');
    return answer(infos[0] ? { TargetImageId: infos[0].TargetImageId, TaskId: infos[0].TaskId } : {});
  }

  private make(
    form: URLSearchParams,
    region: string,
    project: string,
    run: number,
    told: ModelImage['told'],
    asked: boolean,
  ): ModelImage {
    const serial = this.copiesIn.get(region) ?? 0;
    this.copiesIn.set(region, serial + 1);
    const fates = this.targets().find((target) => target.region === region)?.fates ?? [];
    const fate = fates[Math.min(serial, fates.length - 1)];
    const image = this.add({
      region,
      project,
      name: form.get('TargetImageName') ?? '',
      description: form.get('TargetImageDescription') ?? '',
      maker: run,
      ofSource: true,
      asked,
      told,
      ...(fate ? { fate } : {}),
    });
    this.strike('image made');
    this.note(`  ${image.id} is made in ${region}: ${fateWords(image.fate)}`);
    return image;
  }
}

function ok(action: string, fields: object): string {
  return JSON.stringify({ RetCode: 0, Action: `${action}Response`, ...fields });
}

/** An effect after which a promotion may fail by right. */
function isHard(effect: Effect, action: string): boolean {
  if (effect.kind === 'http') return effect.status < 500 && effect.status !== 429;
  if (effect.kind !== 'code' || action.startsWith('Get')) return false;
  return action === 'CopyCustomImage'
    ? FINAL.has(effect.code) || effect.code === 8962
    : !PASSING_READS.has(effect.code);
}

export function fateWords({ seconds, end, odd, listedAfter, removedAfter }: Fate): string {
  return [
    `${end} after ${seconds} s`,
    ...(odd ? ['meanwhile in a state nobody knows'] : []),
    ...(listedAfter > 0 ? [`listed after ${listedAfter} s`] : []),
    ...(removedAfter === undefined ? [] : [`deleted by somebody after ${removedAfter} s`]),
  ].join(', ');
}

export function describe(effect: Effect): string {
  const run =
    'executed' in effect
      ? effect.executed === null
        ? ', not executed'
        : `, executed${effect.executed > 0 ? ` after ${effect.executed} s` : ''}`
      : '';
  switch (effect.kind) {
    case 'refused':
      return 'the connection is refused';
    case 'lost':
      return `the answer is lost after ${effect.after} s${run}`;
    case 'hang':
      return `hangs${run}`;
    case 'http':
      return `HTTP ${effect.status}${effect.status >= 500 ? run : ''}`;
    case 'code':
      return `RetCode ${effect.code}${run}`;
    case 'garbage':
      return `answers garbage${run}`;
    case 'truncated':
      return 'the answer is cut';
    case 'partial':
      return `region ${effect.which} of the answer has ${effect.empty ? 'an empty id' : 'no entry'}${run}`;
    case 'slow':
      return `answers after ${effect.seconds} s`;
    case 'blink':
      return 'answers an empty list';
  }
}
