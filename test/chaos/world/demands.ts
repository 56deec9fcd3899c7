import type { Caller, Listing, Process } from './caller.ts';
import { FINAL, OF_A_REGION, REFUSED, SEEN_WITHIN, SOURCE_ID, SOURCE_PROJECT } from './facts.ts';
import type { ModelImage } from './images.ts';
import { Part } from './part.ts';
import { type Call, codeOf, parse, type Reply } from './wire.ts';

/** What is demanded of a step with each call that it sends, and what it knows from each answer. */
export class Demands extends Part {
  private readonly times: number[] = [];

  /** An answer that comes within two seconds after a cancel is worth waiting for: it holds an id. */
  checkPatience({ cancelledAt }: Caller, answerAt: number): void {
    this.journal.strike('cancel while a copy is in flight');
    if (cancelledAt !== null && answerAt - cancelledAt < 2_000)
      this.journal.violate('a cancel does not wait for an answer that was about to come');
  }

  /** A copy must not be sent where one of this step is, or may be, unless that could not be known. */
  checkCopy(caller: Caller, regions: string[]): void {
    const now = this.clock.elapsed;
    caller.copies++;
    if (now >= caller.deadline) this.journal.violate(`CopyCustomImage is sent after the timeout`);
    if (caller.cancelledAt !== null) this.journal.violate('CopyCustomImage is sent after the cancel');
    for (const region of regions) {
      if (caller.readAt(region) < 0)
        this.journal.violate(`CopyCustomImage is sent for ${region}, which could not be listed`);
      const since = caller.refused.get(region);
      if (since !== undefined && caller.readAt(region) < since)
        this.journal.violate(
          `CopyCustomImage is sent for ${region} without a look behind the batch that was refused`,
        );
      if ((caller.unclear.get(region) ?? 0) >= 4)
        this.journal.violate(`CopyCustomImage is sent for ${region} after four unclear answers`);
      const image = this.images.all.find(
        (other) =>
          other.maker === caller.number &&
          other.region === region &&
          this.images.isLive(other) &&
          (other.told === 'refused'
            ? caller.readAt(region) >= other.listedAt
            : other.listedAt <= other.sentAt + SEEN_WITHIN) &&
          ((this.images.keepsMarks && !other.edited) || caller.named.has(other.id)),
      );
      if (image)
        this.journal.violate(
          `CopyCustomImage is sent for ${region} though this run has made ${image.id} there`,
        );
      for (const pending of this.images.pending) {
        if (pending.caller === caller && pending.region === region && !pending.refused)
          this.journal.violate(
            `CopyCustomImage is sent for ${region} while an earlier one may still be executed`,
          );
      }
      caller.sends.set(region, (caller.sends.get(region) ?? 0) + 1);
    }
  }

  judgeAnswer({ caller, onIds }: Process, regions: string[], { effect }: Call, reply: Reply | null): void {
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

  judgeList({ form, process: { caller }, sentAt }: Call, reply: Reply | null): void {
    if (form.get('ImageId') !== null) return;
    const region = form.get('Region') ?? '';
    const own = form.get('ProjectId') ?? SOURCE_PROJECT;
    if (own !== this.images.project()) return;
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

  /** Without rollback only doubles of what is kept, and images in places that nobody wanted, are deleted. */
  checkDeletion(image: ModelImage, caller: Caller, phase: Process['phase']): void {
    const { rollback, ifExists, wait } = caller.settings;
    const { ghosts } = this.scenario.site;
    if (rollback !== 'never') return;
    const now = this.clock.elapsed;
    // When it was last listed. What broke since then could not be known: a delete that is refused is repeated for 30 s.
    const asListed = now - 30_000 - 2 * this.scenario.site.latency;
    // A sound one is not given up for one of which that is not known yet.
    const isSound = this.images.isSound(image, asListed);
    const mustBeSound = wait && now < caller.deadline && isSound;
    const twin = this.images.all.find((other) => {
      // A copied mark cannot be told from ours: age decides against it, but not for one of ours that is broken.
      const isCopy =
        other.ofSource || (this.images.isMarked(other) && (!isSound || this.images.isOlder(other, image)));
      const isOld = ifExists === 'copy' && other.madeAt < caller.startedAt;
      if (other === image || other.region !== image.region || !isCopy || isOld) return false;
      if (other.id === SOURCE_ID) return false;
      const last = Math.min(asListed, other.deleted?.at ?? asListed);
      const { deleted } = other;
      // What is gone may be shown for a while, even by its id.
      const shownFor = ghosts?.byId ? ghosts.seconds * 1000 : 0;
      const there = { ...other, deleted: deleted && deleted.at + shownFor <= asListed ? deleted : null };
      if (mustBeSound) return this.images.isSound(there) || this.images.isSound(there, last);
      const isWrong = other.fate.end === 'differs' && this.images.stateOf(other, asListed) === 'Available';
      return this.images.isLive(there, asListed) && !isWrong;
    });
    if (phase === 'post' || (image.asked && !twin))
      this.journal.violate(`${image.id} is deleted without rollback, and is no double of one that is sound`);
  }

  countThrottle(caller: Caller, reply: Reply | null): void {
    const isThrottle = reply?.status === 429 || codeOf(reply?.body) === 153;
    caller.throttledSince = isThrottle ? (caller.throttledSince ?? this.clock.elapsed) : null;
  }

  /** More than so many calls within a minute are a loop without a pause. */
  countCall(): void {
    const now = this.clock.elapsed;
    this.times.push(now);
    const most = 150 * (this.scenario.targets.length + 2);
    const early = this.times.at(-most);
    if (this.times.length > most && early !== undefined && now - early < 60_000) {
      this.journal.violate(`${most} calls within a minute`);
      throw new Error('a loop without a pause');
    }
  }
}
