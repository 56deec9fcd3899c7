import { TransportError } from '../../src/cloud/explain.ts';
import type { Transport, TransportAnswer } from '../../src/cloud/transport.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Effect, Fate, Fault, Run, Scenario, Target } from './scenario.ts';

/**
 * A model of the cloud in virtual time, written from the facts about the API alone. It assumes that a copy is executed at most 60 s
 * after it was sent, and that an image is listed at most 50 s after it was made; what is later than that is never
 * demanded to be seen in time.
 */

export const SOURCE_REGION = 'cn-bj2';
export const SOURCE_PROJECT = 'org-build';
export const TARGET_PROJECT = 'org-prod';
export const SOURCE_ID = 'uimage-source';
export const NAME = 'Web-1.4.2';
export const REGIONS = ['hk', 'sg', 'us-ca', SOURCE_REGION, 'ge-fra'] as const;

/** Refusals of CopyCustomImage that may be one region's own. */
export const OF_A_REGION = [230, 240, 293, 299, 8095, 8300, 8970];
/** What CopyCustomImage says with a code: the documented table. Codes of neither list are ambiguous. */
const FINAL = new Set([
  ...OF_A_REGION,
  ...[
    100, 160, 161, 170, 171, 172, 174, 210, 220, 292, 294, 295, 520, 8104, 8116, 8117, 8226, 8956, 8958, 8959,
  ],
]);
const REFUSED = new Set([153, 8961, 8962, 8980]);
const PASSING_READS = [
  ...[
    110, 130, 150, 153, 8022, 8024, 8025, 8031, 8041, 8097, 8108, 8825, 8826, 8828, 8829, 8853, 8857, 8861,
    8874,
  ],
  ...[8889, 8971, 8980],
];
/** What no patience helps against, also while a known copy is watched, looked for or deleted. */
const DECISIVE = new Set([160, 161, 170, 171, 172, 174, 294, 299]);
export const CODES = [...new Set([...FINAL, ...REFUSED, ...PASSING_READS, 8960, 4711])];

/** Milliseconds after it was sent by which a copy is listed, if at all. */
export const SEEN_WITHIN = 110_000;

/** Who made an image: a step by its number, a run of ours before the scenario, or somebody else. */
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
  /** By a call for more than one region. */
  batch: boolean;
  sentAt: number;
  madeAt: number;
  listedAt: number;
  fate: Fate;
  deleted: { at: number; by: 'somebody' | 'us' } | null;
  /** What the call that made it told its caller. */
  told: 'id' | 'nothing' | 'unclear' | 'refused';
  /** When somebody left nothing of its description. */
  edited: number | null;
  /** Deletes of it that were accepted and not carried out. */
  ignored: number;
  /** A delete was accepted before any list could show it. */
  deletedUnlisted: boolean;
}

interface Listing {
  startedAt: number;
  /** When the last list that came whole was read in the cloud. */
  wholeAt: number;
  /** The last try to read it failed. */
  failed: boolean;
}

/** A step of the workflow, as its main process and its post process share what the world knows of it. */
export class Caller {
  readonly number: number;
  readonly settings: Run;
  readonly startedAt: number;
  /** Nothing may be sent from then on. */
  readonly deadline: number;
  cancelledAt: number | null = null;
  copies = 0;
  faults = 0;
  /** Faults that struck its deletes, and whether one of them never passes. */
  readonly deletes = { faults: 0, hard: false };
  /** By more than answers to copies that leave a doubt. */
  disturbed = false;
  /** Regions that may fail by right; `*` for all. */
  readonly hard = new Set<string>();
  /** Region → how many answers may stand for an image that has no id. */
  readonly unclear = new Map<string, number>();
  /** Region → since when a refusal for good of a batch has to be looked behind. */
  readonly refused = new Map<string, number>();
  readonly sends = new Map<string, number>();
  readonly lists = new Map<string, Listing>();
  /** Ids that CopyCustomImage answered with. */
  readonly answered = new Set<string>();
  /** Those of them that it answered with for one region. */
  readonly named = new Set<string>();
  /** When the last CopyCustomImage was answered, or given up. */
  answeredAt = 0;
  /** Since when every answer is a throttle. */
  throttledSince: number | null = null;
  /** What its marks name it. */
  mark: string | null = null;

  constructor(number: number, settings: Run, startedAt: number, timeout: number) {
    this.number = number;
    this.settings = settings;
    this.startedAt = startedAt;
    this.deadline = startedAt + timeout;
  }

  isHard(region: string): boolean {
    return this.hard.has('*') || this.hard.has(region);
  }

  /** When the region was last read whole; before all time if never. */
  readAt(region: string): number {
    return this.lists.get(region)?.wholeAt ?? Number.NEGATIVE_INFINITY;
  }
}

/** What can be killed. */
export interface Process {
  caller: Caller;
  phase: 'main' | 'post';
  alive: boolean;
  /** CopyCustomImage is on its way. */
  onCopy: () => void;
  onIds: (ids: string[]) => void;
}

interface Reply {
  status: number;
  body: string;
  /** The last page of a list. */
  whole?: boolean;
}

interface Pending {
  caller: Caller;
  region: string;
  refused: boolean;
}

interface Call {
  action: string;
  form: URLSearchParams;
  process: Process;
  sentAt: number;
  effect: Effect | null;
}

export class World {
  readonly images: ModelImage[] = [];
  readonly log: string[] = [];
  readonly violations: string[] = [];
  /** How often each kind of fault has really struck. */
  readonly struck = new Map<string, number>();
  faulty = true;
  /** Copies that were sent and will be executed. */
  readonly pending = new Set<Pending>();
  /** The ids of somebody's images that an answer named, with the copies that it should have named. */
  readonly wrong = new Map<string, string>();
  private bucket: { left: number; at: number } | null = null;
  private readonly clock: VirtualClock;
  private readonly scenario: Scenario;
  private readonly counts = new Map<string, number>();
  private readonly copiesIn = new Map<string, number>();
  private readonly times: number[] = [];
  private readonly places: readonly (Target & { region: string })[];
  private readonly rows = new Map<ModelImage, string>();
  private serial = 0;

  readonly keepsLog: boolean;

  constructor(clock: VirtualClock, scenario: Scenario, keepsLog = true) {
    this.keepsLog = keepsLog;
    this.clock = clock;
    this.scenario = scenario;
    this.places = scenario.targets.map((target, index) => ({
      ...target,
      region: REGIONS[index] ?? 'nowhere',
    }));
    this.add({
      id: SOURCE_ID,
      region: SOURCE_REGION,
      project: SOURCE_PROJECT,
      ofSource: true,
      description: this.sourceText(),
    });
    for (let index = 0; index < scenario.site.others; index++) {
      for (const { region } of this.targets())
        this.add({ region, name: `other-${index}`, description: 'other' });
    }
    for (const { region, held, strangers } of this.targets()) {
      // No copy can be beside its source.
      if (this.isSource(region)) continue;
      for (const kind of held) this.addHeld(region, kind);
      for (const stranger of strangers)
        clock.after(stranger.after * 1000, () => this.addStranger(region, stranger));
    }
  }

  targets(): readonly (Target & { region: string })[] {
    return this.places;
  }

  project(): string {
    return this.scenario.sameProject ? SOURCE_PROJECT : TARGET_PROJECT;
  }

  /** The target is the source itself. */
  isSource(region: string): boolean {
    return this.scenario.sameProject && region === SOURCE_REGION;
  }

  /** Whether a mark at the beginning of a description survives here. */
  get keepsMarks(): boolean {
    const { description } = this.scenario.site;
    return description === null || description >= 128;
  }

  private sourceText(): string {
    return 'base of everything '.repeat(25).slice(0, this.scenario.text);
  }

  strike(kind: string): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  /** A search keeps no log: what breaks a promise is played again. */
  note(line: string): void {
    if (this.keepsLog) this.log.push(`${(this.clock.elapsed / 1000).toFixed(2).padStart(9)}  ${line}`);
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

  /** Available, and equal to its source. */
  isSound(image: ModelImage, at?: number): boolean {
    return (
      this.isLive(image, at) && image.fate.end === 'Available' && this.stateOf(image, at) === 'Available'
    );
  }

  isListed(image: ModelImage, at = this.clock.elapsed): boolean {
    return image.deleted === null && at >= image.listedAt;
  }

  /** A read shows it, though it may be gone. */
  isShown(image: ModelImage, byId: boolean): boolean {
    if (image.deleted === null) return this.isListed(image);
    const { ghosts } = this.scenario.site;
    const isGhost =
      ghosts !== null &&
      (ghosts.byId || !byId) &&
      image.listedAt <= image.deleted.at &&
      this.clock.elapsed < image.deleted.at + ghosts.seconds * 1000;
    if (isGhost) this.strike('deleted and still listed');
    return isGhost;
  }

  /** It bears the mark of a copy of our source. */
  isMarked({ description }: ModelImage): boolean {
    return description.includes(`[copy of ${SOURCE_REGION}/${SOURCE_ID} by `) && description.includes(']');
  }

  /** In the order that decides which of two is kept. */
  isOlder(one: ModelImage, other: ModelImage): boolean {
    const created = (image: ModelImage) => Math.floor((this.clock.start + image.madeAt) / 1000);
    return created(one) < created(other) || (created(one) === created(other) && one.id < other.id);
  }

  private addHeld(region: string, kind: Target['held'][number]): void {
    const other = kind === 'of another source';
    const ours = !other && kind !== 'namesake';
    const mark = `[copy of ${SOURCE_REGION}/${other ? 'uimage-other' : SOURCE_ID} by 77-${this.serial}-old000]`;
    const ends: Partial<Record<typeof kind, Fate['end']>> = {
      'earlier broken': 'Unavailable',
      'earlier differs': 'differs',
      'earlier stuck': 'stuck',
    };
    this.add({
      region,
      ...(kind === 'other name' ? { name: 'web-1.4.1' } : {}),
      description: ours || other ? `${mark} base` : '',
      maker: ours ? 'earlier' : 'somebody',
      ofSource: ours,
      fate: plain(ends[kind] ?? 'Available', kind === 'earlier copying' ? 40 : 0),
    });
  }

  private addStranger(region: string, { described, same }: Target['strangers'][number]): ModelImage {
    // Of the same region rather than of another one.
    const model = this.images
      .filter(({ maker }) => typeof maker === 'number')
      .sort((one, other) => Number(one.region === region) - Number(other.region === region))
      .at(-1);
    const description = described === 'as ours' ? (model?.description ?? '') : 'mine';
    const image = this.add({
      region,
      description: described === 'not' ? '' : description,
      fate: plain(same ? 'Available' : 'differs'),
    });
    this.strike('stranger appears');
    if (described === 'as ours' && model) this.strike('stranger with our mark appears');
    this.note(
      `somebody makes ${image.id} in ${region}, described as "${described === 'not' ? '' : description}"`,
    );
    return image;
  }

  private add(given: Partial<ModelImage>): ModelImage {
    const now = this.clock.elapsed;
    const { fate = plain('Available') } = given;
    const { description, lowercases } = this.scenario.site;
    const name = given.name ?? NAME;
    const image: ModelImage = {
      id: `uimage-${given.maker === 'somebody' || given.maker === undefined ? 'x' : 'c'}${++this.serial}`,
      region: SOURCE_REGION,
      project: this.project(),
      maker: 'somebody',
      asked: true,
      ofSource: false,
      batch: false,
      sentAt: now,
      madeAt: now,
      listedAt: now + fate.listedAfter * 1000,
      deleted: null,
      told: 'nothing',
      edited: null,
      ignored: 0,
      deletedUnlisted: false,
      ...given,
      fate,
      name: lowercases && given.id !== SOURCE_ID ? name.toLowerCase() : name,
      // Its own text is as it is.
      description:
        given.id === SOURCE_ID
          ? (given.description ?? '')
          : (given.description ?? '').slice(0, description ?? undefined),
    };
    this.images.push(image);
    const { removedAfter, edited } = fate;
    if (removedAfter !== undefined) {
      this.clock.after(removedAfter * 1000, () => {
        if (image.deleted) return;
        this.note(`somebody deletes ${image.id}`);
        this.strike('somebody deletes a copy');
        image.deleted = { at: this.clock.elapsed, by: 'somebody' };
      });
    }
    if (edited !== undefined) {
      this.clock.after(edited.after * 1000, () => {
        this.note(`somebody edits the description of ${image.id}: ${edited.how}`);
        this.strike(`description ${edited.how}`);
        image.edited = edited.how === 'replaced' ? this.clock.elapsed : null;
        image.description = edited.how === 'replaced' ? 'in use' : `${image.description} (in use)`;
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
    const { caller } = process;
    const form = new URLSearchParams(body);
    const action = form.get('Action') ?? '';
    const isCopy = action === 'CopyCustomImage';
    const serial = (this.counts.get(action) ?? 0) + 1;
    this.counts.set(action, serial);
    this.countCall();
    const regions = isCopy ? this.regionsOf(form) : [];
    if (isCopy) {
      process.onCopy();
      this.checkCopy(caller, regions);
    }
    const own = this.faulty ? this.ownEffect(action, form, caller) : null;
    const effect = own ?? (this.faulty ? this.effectOf(action, serial, form) : null);
    const label = this.keepsLog
      ? `${action} ${serial} ${form.get('ImageId') ?? (regions.join(',') || (form.get('Region') ?? ''))}`
      : '';
    if (this.keepsLog)
      this.note(`run ${caller.number} ${process.phase}: ${label}${effect ? ` [${describe(effect)}]` : ''}`);
    if (effect && effect !== own) this.count(effect, action, caller, form);

    const sentAt = this.clock.elapsed;
    const call = { action, form, process, sentAt, effect };
    const play = this.play(call, timeout);
    try {
      await this.clock.sleep(Math.min(play.answerAfter, timeout), signal);
    } catch (reason) {
      if (isCopy) this.checkPatience(caller, sentAt + play.answerAfter);
      throw reason;
    }
    if (!process.alive) return new Promise(() => undefined);
    const reply = play.answerAfter >= timeout ? null : play.reply();
    this.noteAnswer(label, reply, effect);
    if (isCopy) this.judgeAnswer(process, regions, call, reply);
    else if (action === 'DescribeImage') this.judgeList(call, reply);
    this.countThrottle(caller, reply);
    if (!reply)
      throw new TransportError({ message: 'broken', advice: 'Try again.' }, effect?.kind !== 'refused');
    return { status: reply.status, headers: { 'x-ucloud-request-uuid': `id-${serial}` }, body: reply.body };
  }

  /** An answer that comes within two seconds after a cancel is worth waiting for: it holds an id. */
  private checkPatience({ cancelledAt }: Caller, answerAt: number): void {
    this.strike('cancel while a copy is in flight');
    if (cancelledAt !== null && answerAt - cancelledAt < 2_000)
      this.violate('a cancel does not wait for an answer that was about to come');
  }

  private noteAnswer(label: string, reply: Reply | null, effect: Effect | null): void {
    if (!this.keepsLog) return;
    const words = reply
      ? reply.body.length > 160
        ? `${reply.body.slice(0, 160)}…`
        : reply.body
      : 'no answer';
    if (effect || label.startsWith('Copy') || label.startsWith('Terminate'))
      this.note(`  ${label} -> ${words}`);
  }

  /** When the call runs, in the cloud; when its answer is there, and which. */
  private play(call: Call, timeout: number): { answerAfter: number; reply: () => Reply | null } {
    const { action, form, process, effect } = call;
    const latency = this.scenario.site.latency;
    let result: Reply = { status: 500, body: '' };
    const isCopy = action === 'CopyCustomImage';
    const run = (seconds: number | null, how: ModelImage['told']) => {
      if (seconds === null) return;
      const regions = isCopy ? this.regionsOf(form).filter((_, index) => isExecuted(effect, index)) : [];
      const pending = regions.map((region) => ({
        caller: process.caller,
        region,
        refused: how === 'refused',
      }));
      for (const one of pending) this.pending.add(one);
      this.clock.after(Math.max(latency / 2, seconds * 1000), () => {
        for (const one of pending) this.pending.delete(one);
        result = this.execute(call, how);
      });
    };
    const fixed = (status: number, body: string) => ({
      answerAfter: latency,
      reply: () => ({ status, body }),
    });
    switch (effect?.kind) {
      case undefined:
        run(0, 'id');
        return { answerAfter: latency, reply: () => result };
      case 'blink':
        run(0, 'id');
        return {
          answerAfter: latency,
          reply: () => ({ status: 200, body: ok(action, { ImageSet: [], TotalCount: 0 }) }),
        };
      case 'unwhole':
        run(0, 'id');
        return {
          answerAfter: latency,
          reply: () => this.unwhole(result, effect.how, call),
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
        // Only a batch may have run in part when it is refused for good, and not for what strikes every call alike.
        const mayRun =
          !FINAL.has(effect.code) ||
          (isCopy && this.regionsOf(form).length > 1 && OF_A_REGION.includes(effect.code));
        if (mayRun) run(effect.executed, clear ? 'refused' : 'unclear');
        return fixed(200, refusal(action, effect.code));
      }
      case 'garbage':
        run(effect.executed, 'unclear');
        return fixed(200, '<html>sign in</html>');
      case 'truncated':
        run(0, 'unclear');
        return {
          answerAfter: latency,
          reply: () => ({
            status: result.status,
            body: result.body.slice(0, Math.max(1, result.body.length - 9)),
          }),
        };
      case 'partial':
        run(0, 'id');
        return { answerAfter: latency, reply: () => result };
    }
  }

  private count(effect: Effect, action: string, caller: Caller, form: URLSearchParams): void {
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
    const code = effect.kind === 'code' ? effect.code : 0;
    if (short === 'delete') {
      caller.deletes.faults++;
      if (DECISIVE.has(code) || code === 295) caller.deletes.hard = true;
    } else caller.faults++;
    const isSure = effect.kind === 'refused' || (effect.kind === 'http' && effect.status < 500);
    if (short !== 'copy' || isSure || FINAL.has(code) || REFUSED.has(code)) caller.disturbed = true;
    for (const region of this.struckForGood(effect, action, caller, form)) caller.hard.add(region);
  }

  /** Regions that may fail by right after this. */
  private struckForGood(effect: Effect, action: string, caller: Caller, form: URLSearchParams): string[] {
    const code = effect.kind === 'code' ? effect.code : null;
    const page = effect.kind === 'http' && effect.status < 500 && ![408, 429].includes(effect.status);
    if (action === 'CopyCustomImage') {
      const regions = this.regionsOf(form);
      if (page) return regions;
      if (code === null || (!FINAL.has(code) && code !== 8962)) return [];
      // The single calls after it decide.
      if (regions.length > 1 && (OF_A_REGION.includes(code) || code === 8962)) return [];
      return regions.length > 1 ? ['*'] : regions;
    }
    if (action !== 'DescribeImage') return [];
    const region = form.get('Region') ?? '';
    const final = code !== null && !PASSING_READS.includes(code);
    if (!page && !final) return [];
    if (this.isReadOfSource(form)) return ['*'];
    const isCheck = form.get('ImageId') === null && caller.copies === 0;
    // What strikes every call alike may stop the whole.
    if (isCheck) return OF_A_REGION.includes(code ?? 0) || code === 4711 || page ? [region] : ['*'];
    return code !== null && DECISIVE.has(code) ? [region] : [];
  }

  private isReadOfSource(form: URLSearchParams): boolean {
    const project = form.get('ProjectId') ?? SOURCE_PROJECT;
    const id = form.get('ImageId');
    return (
      form.get('Region') === SOURCE_REGION && project === SOURCE_PROJECT && (id === null || id === SOURCE_ID)
    );
  }

  /** What the site does to any such call for a while. */
  private ownEffect(action: string, form: URLSearchParams, caller: Caller): Effect | null {
    const region = form.get('Region') ?? '';
    const now = this.clock.elapsed;
    const { outage } = this.scenario;
    const isRead = action !== 'CopyCustomImage' && action !== 'TerminateCustomImage';
    const isOut = outage && now >= outage.at * 1000 && now < (outage.at + outage.seconds) * 1000;
    if (isOut && (isRead || !outage.reads)) {
      this.strike(`outage: ${outage.how}`);
      caller.disturbed = true;
      caller.hard.add('*');
      return outage.how === 'connection'
        ? { kind: 'refused' }
        : { kind: 'code', code: 153, executed: null, mask: 0 };
    }
    const unlisted = this.targets().find((target) => target.region === region)?.unlisted;
    const isList = action === 'DescribeImage' && form.get('ImageId') === null && !this.isReadOfSource(form);
    if (!unlisted || !isList || now >= unlisted.seconds * 1000) return null;
    this.strike('region that cannot be listed');
    caller.disturbed = true;
    caller.hard.add(region);
    return unlisted.how === 'html'
      ? { kind: 'garbage', executed: null }
      : { kind: 'code', code: unlisted.how, executed: null, mask: 0 };
  }

  private effectOf(action: string, serial: number, form: URLSearchParams): Effect | null {
    const matches = ({ on, nth, count }: Fault) => {
      const group = action.startsWith('Get') ? 'GetRegion' : action;
      return on === group && serial >= nth && serial < nth + count;
    };
    const effect = this.scenario.faults.find(matches)?.effect ?? null;
    if (!effect) return null;
    if (effect.kind === 'partial' && action !== 'CopyCustomImage') return null;
    if (effect.kind === 'unwhole' && action !== 'DescribeImage') return null;
    if (
      effect.kind === 'blink' &&
      (action !== 'DescribeImage' || !form.get('ImageId') || form.get('ImageId') === SOURCE_ID)
    )
      return null;
    // It says that the image is gone, which is no fault but a lie.
    if (effect.kind === 'code' && effect.code === 8956 && action !== 'CopyCustomImage') return null;
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

  /** A copy must not be sent where one of this step is, or may be, unless that could not be known. */
  private checkCopy(caller: Caller, regions: string[]): void {
    const now = this.clock.elapsed;
    caller.copies++;
    if (now >= caller.deadline) this.violate(`CopyCustomImage is sent after the timeout`);
    if (caller.cancelledAt !== null) this.violate('CopyCustomImage is sent after the cancel');
    for (const region of regions) {
      if (caller.readAt(region) < 0)
        this.violate(`CopyCustomImage is sent for ${region}, which could not be listed`);
      const since = caller.refused.get(region);
      if (since !== undefined && caller.readAt(region) < since)
        this.violate(
          `CopyCustomImage is sent for ${region} without a look behind the batch that was refused`,
        );
      if ((caller.unclear.get(region) ?? 0) >= 4)
        this.violate(`CopyCustomImage is sent for ${region} after four unclear answers`);
      const image = this.images.find(
        (other) =>
          other.maker === caller.number &&
          other.region === region &&
          this.isLive(other) &&
          (other.told === 'refused'
            ? caller.readAt(region) >= other.listedAt
            : other.listedAt <= other.sentAt + SEEN_WITHIN) &&
          ((this.keepsMarks && !other.edited) || caller.named.has(other.id)),
      );
      if (image)
        this.violate(`CopyCustomImage is sent for ${region} though this run has made ${image.id} there`);
      for (const pending of this.pending) {
        if (pending.caller === caller && pending.region === region && !pending.refused)
          this.violate(`CopyCustomImage is sent for ${region} while an earlier one may still be executed`);
      }
      caller.sends.set(region, (caller.sends.get(region) ?? 0) + 1);
    }
  }

  private judgeAnswer(
    { caller, onIds }: Process,
    regions: string[],
    { effect }: Call,
    reply: Reply | null,
  ): void {
    const body = parse(reply?.body);
    const made = body.RetCode === 0 && reply?.status === 200;
    const ids = made
      ? [body.TargetImageId ?? '', ...(body.Infos ?? []).map((info) => info.TargetImageId)]
      : [];
    // Of two ids for one region none is known to be a copy.
    const isTwice = (id: string) => {
      const region = body.Infos?.find((info) => info.TargetImageId === id)?.TargetRegion;
      return (body.Infos?.filter((info) => info.TargetRegion === region).length ?? 0) > 1;
    };
    const known = ids.filter((id) => id !== '' && !isTwice(id));
    for (const id of known) {
      caller.answered.add(id);
      if (regions.length === 1 || body.Infos?.length) caller.named.add(id);
    }
    caller.answeredAt = this.clock.elapsed;
    if (known.length > 0) onIds(known);
    const code = body.RetCode ?? 0;
    const isRefusal = FINAL.has(code) || REFUSED.has(code);
    if (regions.length > 1 && (OF_A_REGION.includes(code) || code === 8962)) {
      for (const region of regions) caller.refused.set(region, this.clock.elapsed);
    }
    const sure =
      isRefusal ||
      effect?.kind === 'refused' ||
      (reply !== null && reply.status >= 400 && reply.status < 500 && reply.status !== 408);
    for (const region of regions) {
      const own = body.Infos?.filter((info) => info.TargetRegion === region && info.TargetImageId) ?? [];
      const named = own.length === 1 || (regions.length === 1 && body.TargetImageId);
      if (!sure && !(made && named)) caller.unclear.set(region, (caller.unclear.get(region) ?? 0) + 1);
    }
  }

  private judgeList({ form, process: { caller }, sentAt }: Call, reply: Reply | null): void {
    if (form.get('ImageId') !== null) return;
    const region = form.get('Region') ?? '';
    const own = form.get('ProjectId') ?? SOURCE_PROJECT;
    if (own !== this.project()) return;
    const listing: Listing = caller.lists.get(region) ?? {
      startedAt: 0,
      wholeAt: Number.NEGATIVE_INFINITY,
      failed: false,
    };
    caller.lists.set(region, listing);
    if (Number(form.get('Offset') ?? 0) === 0) listing.startedAt = sentAt;
    const isTrue = reply?.status === 200 && codeOf(reply.body) === 0 && reply.whole !== undefined;
    listing.failed = !isTrue;
    if (!listing.failed && reply?.whole) listing.wholeAt = listing.startedAt + this.scenario.site.latency / 2;
  }

  private countThrottle(caller: Caller, reply: Reply | null): void {
    const isThrottle = reply?.status === 429 || codeOf(reply?.body) === 153;
    caller.throttledSince = isThrottle ? (caller.throttledSince ?? this.clock.elapsed) : null;
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

  private execute(call: Call, how: ModelImage['told']): Reply {
    const { action, form } = call;
    if (this.isThrottled()) {
      this.strike('throttled by the site');
      return { status: 200, body: refusal(action, 153) };
    }
    const answer = (fields: object) => ({ status: 200, body: ok(action, fields) });
    const refuse = (code: number) => ({ status: 200, body: refusal(action, code) });
    if (action === 'DescribeImage') return this.describe(form, answer, refuse);
    if (action === 'TerminateCustomImage') return this.terminate(call, answer, refuse);
    if (action === 'CopyCustomImage') return this.copy(call, how, answer, refuse);
    if (this.scenario.site.denies) {
      this.strike('lists of regions and projects denied');
      return refuse(299);
    }
    if (action === 'GetRegion') {
      const regions = [...new Set([SOURCE_REGION, ...REGIONS])];
      return answer({
        Regions: regions.map((Region) => ({ Region, Zone: `${Region}-01`, IsDefault: false })),
      });
    }
    return answer({
      ProjectSet: [
        { ProjectId: SOURCE_PROJECT, ProjectName: 'build', IsDefault: true },
        { ProjectId: TARGET_PROJECT, ProjectName: 'prod', IsDefault: false },
      ],
    });
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
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const found = this.shownTo(form);
    const { page, total, newestFirst, missingIsAnError } = this.scenario.site;
    if (newestFirst) found.reverse();
    if (form.get('ImageId') !== null && found.length === 0 && missingIsAnError) return refuse(8956);
    const offset = Number(form.get('Offset') ?? 0);
    const rows = found.slice(offset, offset + Math.min(page, Number(form.get('Limit') ?? 20)));
    const reply = answer({ ...(total ? { TotalCount: found.length } : {}), ImageSet: [] });
    const set = `"ImageSet":[${rows.map((image) => this.row(image)).join()}]}`;
    return {
      status: reply.status,
      body: reply.body.replace('"ImageSet":[]}', () => set),
      whole: offset + rows.length >= found.length,
    };
  }

  private shownTo(form: URLSearchParams): ModelImage[] {
    const id = form.get('ImageId');
    const project = form.get('ProjectId') ?? SOURCE_PROJECT;
    return this.images.filter(
      (image) =>
        image.region === form.get('Region') &&
        image.project === project &&
        (id === null || image.id === id) &&
        this.isShown(image, id !== null),
    );
  }

  /** As JSON. What never changes is written once: others make up most of a long list. */
  private row(image: ModelImage): string {
    const kept = this.rows.get(image);
    if (kept !== undefined) return kept;
    const row = JSON.stringify(this.fields(image));
    const { seconds, end, edited } = image.fate;
    if (seconds === 0 && end === 'Available' && !edited && image.maker === 'somebody')
      this.rows.set(image, row);
    return row;
  }

  private fields(image: ModelImage): object {
    const { states } = this.scenario.site;
    const state = this.stateOf(image);
    const { sizeless, end } = image.fate;
    const hasNoSize = sizeless === 'always' || (sizeless === 'at first' && state !== 'Available');
    if (hasNoSize) this.strike('size of 0');
    if (states === 'UnAvailable' && state === 'Unavailable') this.strike('UnAvailable');
    return {
      ImageId: image.id,
      ImageName: image.name,
      ImageDescription: image.description,
      ImageType: 'Custom',
      State:
        states === 'lower case'
          ? state.toLowerCase()
          : states === 'UnAvailable' && state === 'Unavailable'
            ? states
            : state,
      OsType: 'Linux',
      OsName: end === 'differs' ? 'CentOS 7' : 'Ubuntu 24.04',
      ImageSize: hasNoSize ? 0 : 40,
      Features: ['CloudInit'],
      CreateTime: Math.floor((this.clock.start + image.madeAt) / 1000),
    };
  }

  /** Rows are missing from a page, and the total tells it; or there are no rows at all. */
  private unwhole(result: Reply, how: 'empty' | 'rows' | 'no set' | 'null', { action, form }: Call): Reply {
    const { RetCode, ImageSet = [] } = parse(result.body);
    if (RetCode !== 0) return result;
    if (how === 'no set') return { status: 200, body: ok(action, {}) };
    // Where nothing is, nothing is missing.
    if (ImageSet.length === 0) return result;
    const TotalCount = this.shownTo(form).length;
    return {
      status: 200,
      body: ok(action, {
        TotalCount,
        ImageSet: how === 'empty' ? [] : [...ImageSet.slice(0, -1), ...(how === 'null' ? [null] : [])],
      }),
    };
  }

  private terminate(
    { form, process: { caller, phase } }: Call,
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const id = form.get('ImageId') ?? '';
    const project = form.get('ProjectId') ?? SOURCE_PROJECT;
    const image = this.images.find(
      (other) => other.id === id && other.region === form.get('Region') && other.project === project,
    );
    // Somebody who copies a mark gives it away.
    const isMine =
      image?.maker === caller.number ||
      (image?.maker === 'somebody' &&
        caller.mark !== null &&
        image.description.includes(` by ${caller.mark}`));
    // Named by an answer, and no list has shown that the site keeps marks.
    const isSwapped =
      this.wrong.has(id) &&
      !this.images.some(
        (other) =>
          other.maker === caller.number &&
          this.isMarked(other) &&
          this.isListed(other) &&
          caller.readAt(other.region) >= other.listedAt,
      );
    if (image && !isMine && !isSwapped)
      this.violate(
        `${id} is deleted by run ${caller.number}, but ${image.maker === 'somebody' ? 'somebody else' : image.maker === 'earlier' ? 'an earlier run' : `run ${image.maker}`} made it`,
      );
    if (this.scenario.site.locked) {
      this.strike('delete refused by the lock');
      return refuse(295);
    }
    if (!image || image.deleted) return refuse(8956);
    const { refusal } = this.scenario.site;
    const busy = ['Copying', 'Making', 'Syncing'].includes(this.stateOf(image));
    if (refusal && busy && this.clock.elapsed < image.madeAt + refusal.seconds * 1000) {
      this.strike('delete refused while copying');
      return refuse(refusal.code);
    }
    if (image.maker === caller.number) this.checkDeletion(image, caller, phase);
    // A read that came before the edit may be as old as a delete may wait.
    if (image.edited && this.clock.elapsed > image.edited + 300_000 && this.isListed(image, image.edited))
      this.violate(`${id} is deleted, though its description has no mark`);
    this.carryOut(image);
    return answer({});
  }

  private carryOut(image: ModelImage): void {
    const { deletes } = this.scenario.site;
    const carryOut = () => {
      image.deleted ??= { at: this.clock.elapsed, by: 'us' };
      this.strike('an image of the run is deleted');
    };
    if (!this.isListed(image)) image.deletedUnlisted = true;
    if (deletes) this.strike(`delete ${deletes.how}`);
    if (deletes?.how === 'late') this.clock.after(deletes.seconds * 1000, carryOut);
    else if (deletes && image.ignored < deletes.times) image.ignored += 1;
    else carryOut();
  }

  /** Without rollback only doubles of what is kept, and images in places that nobody wanted, are deleted. */
  private checkDeletion(image: ModelImage, caller: Caller, phase: Process['phase']): void {
    const { rollback, ifExists, wait } = caller.settings;
    const { ghosts } = this.scenario.site;
    if (rollback !== 'never') return;
    const now = this.clock.elapsed;
    // When it was last listed. What broke since then could not be known: a delete that is refused is repeated for 30 s.
    const asListed = now - 30_000 - 2 * this.scenario.site.latency;
    // A sound one is not given up for one of which that is not known yet.
    const isSound = this.isSound(image, asListed);
    const mustBeSound = wait && now < caller.deadline && isSound;
    const twin = this.images.find((other) => {
      // A copied mark cannot be told from ours: age decides against it, but not for one of ours that is broken.
      const isCopy = other.ofSource || (this.isMarked(other) && (!isSound || this.isOlder(other, image)));
      const isOld = ifExists === 'copy' && other.madeAt < caller.startedAt;
      if (other === image || other.region !== image.region || !isCopy || isOld) return false;
      if (other.id === SOURCE_ID) return false;
      const last = Math.min(asListed, other.deleted?.at ?? asListed);
      const { deleted } = other;
      // What is gone may be shown for a while, even by its id.
      const shownFor = ghosts?.byId ? ghosts.seconds * 1000 : 0;
      const there = { ...other, deleted: deleted && deleted.at + shownFor <= asListed ? deleted : null };
      if (mustBeSound) return this.isSound(there) || this.isSound(there, last);
      const isWrong = other.fate.end === 'differs' && this.stateOf(other, asListed) === 'Available';
      return this.isLive(there, asListed) && !isWrong;
    });
    if (phase === 'post' || (image.asked && !twin))
      this.violate(`${image.id} is deleted without rollback, and is no double of one that is sound`);
  }

  private copy(
    call: Call,
    how: ModelImage['told'],
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const { form, process, effect } = call;
    const { batch, midway, answersRefusal, answersOne } = this.scenario.site;
    const asked = this.regionsOf(form);
    const isBatch = form.has('TargetRegionList.0');
    const ignored = isBatch && !batch;
    const regions = ignored ? [SOURCE_REGION] : asked;
    if (form.get('SourceImageId') !== SOURCE_ID) return refuse(8956);
    const codes = regions.map((region) => this.refusalOf(region));
    const bad = codes.findIndex((code) => code !== null);
    const code = codes[bad] ?? null;
    if (code !== null) {
      this.strike(isBatch ? 'batch refused for one region' : 'copy refused for its region');
      if (!isBatch || ignored) return refuse(code);
    }
    const refusesAll = code !== null && answersRefusal === 'code';
    const dropped = effect?.kind === 'partial' ? regions[effect.which % regions.length] : undefined;
    const infos: { TargetRegion: string; TargetImageId: string; TaskId: string }[] = [];
    for (const [index, region] of regions.entries()) {
      const isReached = !refusesAll || midway === 'others' || (midway === 'before' && index < bad);
      if (codes[index] !== null) {
        if (answersRefusal === 'empty') infos.push({ TargetRegion: region, TargetImageId: '', TaskId: '' });
        continue;
      }
      if (!isReached || !isExecuted(effect, index)) continue;
      if (refusesAll) this.strike('refused batch executed in part');
      const isGap = region === dropped && effect?.kind === 'partial' && (isBatch || effect.how !== 'twice');
      const gap = isGap ? effect : null;
      const told = refusesAll ? 'refused' : gap ? 'unclear' : how;
      const make = () => this.make(call, region, told, asked.includes(region), asked.length > 1);
      let id = '';
      if (!gap || gap.executed === 0 || gap.how === 'wrong') id = make().id;
      else if (gap.executed !== null) {
        const pending = { caller: process.caller, region, refused: refusesAll };
        this.pending.add(pending);
        this.clock.after(gap.executed * 1000, () => {
          this.pending.delete(pending);
          make();
        });
      }
      if (gap?.how === 'twice' && id !== '')
        infos.push(
          { TargetRegion: region, TargetImageId: `uimage-none-${region}`, TaskId: '' },
          { TargetRegion: region, TargetImageId: id, TaskId: `task-${id}` },
        );
      else if (gap?.how === 'wrong') {
        const stranger = this.addStranger(region, { after: 0, described: 'not', same: true });
        this.wrong.set(stranger.id, id);
        infos.push({ TargetRegion: region, TargetImageId: stranger.id, TaskId: '' });
      } else if (gap?.how === 'empty') infos.push({ TargetRegion: region, TargetImageId: '', TaskId: '' });
      else if (!gap) infos.push({ TargetRegion: region, TargetImageId: id, TaskId: `task-${id}` });
    }
    if (refusesAll) return refuse(code);
    if (isBatch && !ignored && !answersOne) return answer({ Infos: infos });
    if (isBatch && !ignored) this.strike('batch answered as one copy');
    return answer(infos[0] ? { TargetImageId: infos[0].TargetImageId, TaskId: infos[0].TaskId } : {});
  }

  /** The code with which every copy to this region is refused. */
  refusalOf(region: string): number | null {
    if (this.isSource(region)) return 8962;
    return this.targets().find((target) => target.region === region)?.refuses ?? null;
  }

  private make(
    { form, process: { caller }, sentAt }: Call,
    region: string,
    told: ModelImage['told'],
    asked: boolean,
    batch: boolean,
  ): ModelImage {
    const serial = this.copiesIn.get(region) ?? 0;
    this.copiesIn.set(region, serial + 1);
    const fates = this.targets().find((target) => target.region === region)?.fates ?? [];
    const fate = fates[Math.min(serial, fates.length - 1)];
    const description = form.get('TargetImageDescription') ?? '';
    caller.mark ??= / by ([^\s\]]+)/.exec(description)?.[1] ?? null;
    const image = this.add({
      region,
      project: form.get('TargetProjectId') ?? '',
      name: form.get('TargetImageName') ?? '',
      description,
      maker: caller.number,
      ofSource: true,
      asked,
      batch,
      told,
      sentAt,
      ...(fate ? { fate } : {}),
    });
    this.strike('image made');
    this.note(`  ${image.id} is made in ${region}: ${fateWords(image.fate)}`);
    return image;
  }
}

function plain(end: Fate['end'], seconds = 0): Fate {
  return { seconds, end, odd: false, listedAfter: 0, sizeless: 'never' };
}

/** Whether the region at this place of a list is executed. */
function isExecuted(effect: Effect | null, index: number): boolean {
  return effect?.kind !== 'code' || ((effect.mask >> index) & 1) === 1;
}

function parse(body = ''): {
  RetCode?: number;
  TargetImageId?: string;
  Infos?: { TargetRegion: string; TargetImageId: string }[];
  ImageSet?: object[];
} {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}

/** Without reading the whole of a list. */
function codeOf(body = ''): number | null {
  const [, code] = /^\{"RetCode":(\d+)/.exec(body) ?? [];
  return code === undefined ? null : Number(code);
}

function ok(action: string, fields: object): string {
  return JSON.stringify({ RetCode: 0, Action: `${action}Response`, ...fields });
}

function refusal(action: string, code: number): string {
  return JSON.stringify({ RetCode: code, Action: `${action}Response`, Message: 'as told' });
}

export function fateWords({ seconds, end, odd, listedAfter, removedAfter, sizeless, edited }: Fate): string {
  return [
    `${end} after ${seconds} s`,
    ...(odd ? ['meanwhile in a state nobody knows'] : []),
    ...(listedAfter > 0 ? [`listed after ${listedAfter} s`] : []),
    ...(sizeless === 'never' ? [] : [`without a size ${sizeless}`]),
    ...(edited ? [`its description ${edited.how} after ${edited.after} s`] : []),
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
    case 'code': {
      const places = [0, 1, 2, 3, 4].filter((place) => isExecuted(effect, place));
      const some = places.length < 5 && effect.executed !== null;
      return `RetCode ${effect.code}${run}${some ? `, of a batch only at ${places.join(', ') || 'no place'}` : ''}`;
    }
    case 'garbage':
      return `answers garbage${run}`;
    case 'truncated':
      return 'the answer is cut';
    case 'partial':
      return `region ${effect.which} of the answer has ${{ missing: 'no entry', empty: 'an empty id', twice: 'two ids', wrong: "somebody's id" }[effect.how]}${run}`;
    case 'slow':
      return `answers after ${effect.seconds} s`;
    case 'blink':
      return 'answers an empty list';
    case 'unwhole':
      return effect.how === 'no set'
        ? 'answers without ImageSet'
        : `answers a list ${{ rows: 'without its last row', empty: 'without rows', null: 'with null for its last row' }[effect.how]}, and the true total`;
  }
}
