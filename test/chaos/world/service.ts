import type { VirtualClock } from '../../virtual-clock.ts';
import type { Scenario } from '../scenario.ts';
import { fateWords } from '../story.ts';
import type { Demands } from './demands.ts';
import { A_MONTH_AGO, REGIONS, SOURCE_ID, SOURCE_PROJECT, SOURCE_REGION, TARGET_PROJECT } from './facts.ts';
import type { Images, ModelImage } from './images.ts';
import type { Journal } from './journal.ts';
import type { Lists } from './lists.ts';
import { Part } from './part.ts';
import { type Call, isExecuted, ok, type Reply, refusal, regionsOf } from './wire.ts';

interface Info {
  TargetRegion: string;
  TargetImageId: string;
  TaskId: string;
}

/** What the cloud does with a call that reaches it. */
export class Service extends Part {
  private readonly demands: Demands;
  private readonly lists: Lists;
  private readonly copiesIn = new Map<string, number>();
  private bucket: { left: number; at: number } | null = null;

  constructor(
    clock: VirtualClock,
    scenario: Scenario,
    { journal, images, demands, lists }: { journal: Journal; images: Images; demands: Demands; lists: Lists },
  ) {
    super(clock, scenario, journal, images);
    this.demands = demands;
    this.lists = lists;
  }

  execute(call: Call, how: ModelImage['told']): Reply {
    const { action, form } = call;
    if (this.isThrottled()) {
      this.journal.strike('throttled by the site');
      return { status: 200, body: refusal(action, 153) };
    }
    const answer = (fields: object) => ({ status: 200, body: ok(action, fields) });
    const refuse = (code: number) => ({ status: 200, body: refusal(action, code) });
    if (action === 'DescribeImage') return this.lists.describe(form, answer, refuse);
    if (action === 'TerminateCustomImage') return this.terminate(call, answer, refuse);
    if (action === 'CopyCustomImage') return this.copy(call, how, answer, refuse);
    if (this.scenario.site.denies) {
      this.journal.strike('lists of regions and projects denied');
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

  private terminate(
    { form, process: { caller, phase } }: Call,
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const id = form.get('ImageId') ?? '';
    const project = form.get('ProjectId') ?? SOURCE_PROJECT;
    const image = this.images.all.find(
      (other) =>
        other.id === id &&
        (this.scenario.site.everywhere || other.region === form.get('Region')) &&
        other.project === project,
    );
    // Somebody who copies a mark gives it away.
    const isMine =
      image?.maker === caller.number ||
      (image?.maker === 'somebody' &&
        caller.mark !== null &&
        image.description.includes(` by ${caller.mark}`));
    // Named by an answer, and no list has shown that the site keeps marks.
    const isSwapped =
      this.images.wrong.has(id) &&
      image?.madeAt !== A_MONTH_AGO &&
      !this.images.all.some(
        (other) =>
          other.maker === caller.number &&
          this.images.isMarked(other) &&
          this.images.isListed(other) &&
          caller.readAt(other.region) >= other.listedAt,
      );
    if (image && !isMine && !isSwapped)
      this.journal.violate(
        `${id} is deleted by run ${caller.number}, but ${image.maker === 'somebody' ? 'somebody else' : image.maker === 'earlier' ? 'an earlier run' : `run ${image.maker}`} made it`,
      );
    if (this.scenario.site.locked) {
      this.journal.strike('delete refused by the lock');
      return refuse(295);
    }
    if (!image || image.deleted) return refuse(8956);
    const { refusal } = this.scenario.site;
    const busy = ['Copying', 'Making', 'Syncing'].includes(this.images.stateOf(image));
    if (refusal && busy && this.clock.elapsed < image.madeAt + refusal.seconds * 1000) {
      this.journal.strike('delete refused while copying');
      return refuse(refusal.code);
    }
    if (image.maker === caller.number) this.demands.checkDeletion(image, caller, phase);
    // A read that came before the edit may be as old as a delete may wait.
    if (
      image.edited &&
      this.clock.elapsed > image.edited + 300_000 &&
      this.images.isListed(image, image.edited)
    )
      this.journal.violate(`${id} is deleted, though its description has no mark`);
    this.carryOut(image);
    return answer({});
  }

  private carryOut(image: ModelImage): void {
    const { deletes } = this.scenario.site;
    const carryOut = () => {
      image.deleted ??= { at: this.clock.elapsed, by: 'us' };
      this.journal.strike('an image of the run is deleted');
    };
    if (!this.images.isListed(image)) image.deletedUnlisted = true;
    if (deletes) this.journal.strike(`delete ${deletes.how}`);
    if (deletes?.how === 'late') this.clock.after(deletes.seconds * 1000, carryOut);
    else if (deletes && image.ignored < deletes.times) image.ignored += 1;
    else carryOut();
  }

  private copy(
    call: Call,
    how: ModelImage['told'],
    answer: (fields: object) => Reply,
    refuse: (code: number) => Reply,
  ): Reply {
    const { form, process, effect } = call;
    const { batch, midway, answersRefusal, answersOne } = this.scenario.site;
    const asked = regionsOf(form);
    const isBatch = form.has('TargetRegionList.0');
    const ignored = isBatch && !batch;
    const regions = ignored ? [SOURCE_REGION] : asked;
    if (form.get('SourceImageId') !== SOURCE_ID) return refuse(8956);
    const codes = regions.map((region) => this.images.refusalOf(region));
    const bad = codes.findIndex((code) => code !== null);
    const code = codes[bad] ?? null;
    if (code !== null) {
      this.journal.strike(isBatch ? 'batch refused for one region' : 'copy refused for its region');
      if (!isBatch || ignored) return refuse(code);
    }
    const refusesAll = code !== null && answersRefusal === 'code';
    const dropped = effect?.kind === 'partial' ? regions[effect.which % regions.length] : undefined;
    const infos: Info[] = [];
    for (const [index, region] of regions.entries()) {
      const isReached = !refusesAll || midway === 'others' || (midway === 'before' && index < bad);
      if (codes[index] !== null) {
        if (answersRefusal === 'empty') infos.push({ TargetRegion: region, TargetImageId: '', TaskId: '' });
        continue;
      }
      if (!isReached || !isExecuted(effect, index)) continue;
      if (refusesAll) this.journal.strike('refused batch executed in part');
      const isGap =
        region === dropped &&
        effect?.kind === 'partial' &&
        (isBatch || !['twice', 'swapped'].includes(effect.how));
      const gap = isGap ? effect : null;
      const told = refusesAll ? 'refused' : gap ? 'unclear' : how;
      const make = () => this.make(call, region, told, asked.includes(region), asked.length > 1);
      let id = '';
      if (!gap || gap.executed === 0 || ['wrong', 'old', 'swapped'].includes(gap.how)) id = make().id;
      else if (gap.executed !== null) {
        const pending = { caller: process.caller, region, refused: refusesAll };
        this.images.pending.add(pending);
        this.clock.after(gap.executed * 1000, () => {
          this.images.pending.delete(pending);
          make();
        });
      }
      if (gap?.how === 'twice' && id !== '')
        infos.push(
          { TargetRegion: region, TargetImageId: `uimage-none-${region}`, TaskId: '' },
          { TargetRegion: region, TargetImageId: id, TaskId: `task-${id}` },
        );
      else if (gap?.how === 'wrong' || gap?.how === 'old') {
        const stranger = this.images.addStranger(region, { after: 0, described: 'not', same: true });
        if (gap.how === 'old') stranger.madeAt = A_MONTH_AGO;
        this.images.wrong.set(stranger.id, id);
        infos.push({ TargetRegion: region, TargetImageId: stranger.id, TaskId: '' });
      } else if (gap?.how === 'empty') infos.push({ TargetRegion: region, TargetImageId: '', TaskId: '' });
      else if (!gap || gap.how === 'swapped')
        infos.push({ TargetRegion: region, TargetImageId: id, TaskId: `task-${id}` });
    }
    if (refusesAll) return refuse(code);
    if (effect?.kind === 'partial' && effect.how === 'swapped') this.swap(infos, effect.which);
    if (isBatch && !ignored && !answersOne) return answer({ Infos: infos });
    if (isBatch && !ignored) this.journal.strike('batch answered as one copy');
    return answer(infos[0] ? { TargetImageId: infos[0].TargetImageId, TaskId: infos[0].TaskId } : {});
  }

  private swap(infos: Info[], which: number): void {
    const made = infos.filter(({ TargetImageId }) => TargetImageId !== '');
    const one = made[which % made.length];
    const next = made[(which + 1) % made.length];
    if (!one || !next || one === next) return;
    [one.TargetImageId, next.TargetImageId] = [next.TargetImageId, one.TargetImageId];
    this.images.wrong.set(one.TargetImageId, next.TargetImageId);
    this.images.wrong.set(next.TargetImageId, one.TargetImageId);
    this.journal.strike('ids swapped');
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
    const fates = this.images.targets().find((target) => target.region === region)?.fates ?? [];
    const fate = fates[Math.min(serial, fates.length - 1)];
    const description = form.get('TargetImageDescription') ?? '';
    caller.mark ??= / by ([^\s\]]+)/.exec(description)?.[1] ?? null;
    const image = this.images.add({
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
    this.journal.strike('image made');
    this.journal.note(`  ${image.id} is made in ${region}: ${fateWords(image.fate)}`);
    return image;
  }
}
