import type { VirtualClock } from '../../virtual-clock.ts';
import type { Fate, Scenario, Target } from '../scenario.ts';
import type { Caller } from './caller.ts';
import { NAME, REGIONS, SOURCE_ID, SOURCE_PROJECT, SOURCE_REGION, TARGET_PROJECT } from './facts.ts';
import type { Journal } from './journal.ts';

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

/** A copy that was sent and will be executed. */
export interface Pending {
  caller: Caller;
  region: string;
  refused: boolean;
}

/** The images of the cloud, ours and others'. */
export class Images {
  readonly all: ModelImage[] = [];
  readonly pending = new Set<Pending>();
  /** The ids of somebody's images that an answer named, with the copies that it should have named. */
  readonly wrong = new Map<string, string>();
  private readonly clock: VirtualClock;
  private readonly scenario: Scenario;
  private readonly journal: Journal;
  private readonly places: readonly (Target & { region: string })[];
  private serial = 0;

  constructor(clock: VirtualClock, scenario: Scenario, journal: Journal) {
    this.journal = journal;
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

  /** The code with which every copy to this region is refused. */
  refusalOf(region: string): number | null {
    if (this.isSource(region)) return 8962;
    return this.targets().find((target) => target.region === region)?.refuses ?? null;
  }

  /** Whether a mark at the beginning of a description survives here. */
  get keepsMarks(): boolean {
    const { description } = this.scenario.site;
    return description === null || description >= 128;
  }

  private sourceText(): string {
    return 'base of everything '.repeat(25).slice(0, this.scenario.text);
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

  addStranger(region: string, { described, same }: Target['strangers'][number]): ModelImage {
    // Of the same region rather than of another one.
    const model = this.all
      .filter(({ maker }) => typeof maker === 'number')
      .sort((one, other) => Number(one.region === region) - Number(other.region === region))
      .at(-1);
    const description = described === 'as ours' ? (model?.description ?? '') : 'mine';
    const image = this.add({
      region,
      description: described === 'not' ? '' : description,
      fate: plain(same ? 'Available' : 'differs'),
    });
    this.journal.strike('stranger appears');
    if (described === 'as ours' && model) this.journal.strike('stranger with our mark appears');
    this.journal.note(
      `somebody makes ${image.id} in ${region}, described as "${described === 'not' ? '' : description}"`,
    );
    return image;
  }

  add(given: Partial<ModelImage>): ModelImage {
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
    this.all.push(image);
    const { removedAfter, edited } = fate;
    if (removedAfter !== undefined) {
      this.clock.after(removedAfter * 1000, () => {
        if (image.deleted) return;
        this.journal.note(`somebody deletes ${image.id}`);
        this.journal.strike('somebody deletes a copy');
        image.deleted = { at: this.clock.elapsed, by: 'somebody' };
      });
    }
    if (edited !== undefined) {
      this.clock.after(edited.after * 1000, () => {
        this.journal.note(`somebody edits the description of ${image.id}: ${edited.how}`);
        this.journal.strike(`description ${edited.how}`);
        image.edited = edited.how === 'replaced' ? this.clock.elapsed : null;
        image.description = edited.how === 'replaced' ? 'in use' : `${image.description} (in use)`;
      });
    }
    return image;
  }
}

function plain(end: Fate['end'], seconds = 0): Fate {
  return { seconds, end, odd: false, listedAfter: 0, sizeless: 'never' };
}
