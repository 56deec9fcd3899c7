import { SEEN_WITHIN, SOURCE_ID, SOURCE_REGION } from '../world/facts.ts';
import type { ModelImage } from '../world/images.ts';
import { type Ended, NOTICED, names, Promises, readyAt, rowOf, wasSeen } from './knowledge.ts';

/** That what is handed out is a copy of the source, and nothing that a run made is lost. */
export class HandedOut extends Promises {
  /** `available` is true: every target has an image that is Available and equal to the source. */
  checkSuccess({ caller, step, endedAt }: Ended): void {
    const { images, journal, scenario } = this;
    const { ghosts } = scenario.site;
    const { settings } = caller;
    for (const { region } of images.targets()) {
      const image = images.all.find(({ id }) => id === step.idOf(region));
      if (!image || image.region !== region || image.project !== images.project()) {
        journal.violate(`available, but ${region} has no image`);
        continue;
      }
      const { deleted } = image;
      // That somebody deleted it since it was looked at cannot be known; nor that it is gone while all reads show it.
      const isUnread = caller.disturbed || ghosts !== null || !settings.wait || endedAt >= caller.deadline;
      const since = isUnread ? caller.startedAt : endedAt - NOTICED;
      if (deleted?.by === 'somebody' && deleted.at >= since) continue;
      if (deleted && ghosts?.byId && deleted.at + ghosts.seconds * 1000 > endedAt - NOTICED) continue;
      if (deleted) journal.violate(`available, but ${image.id} was deleted`);
      if (images.stateOf(image) !== 'Available')
        journal.violate(`available, but ${image.id} is ${images.stateOf(image)}`);
      if (image.fate.end === 'differs') journal.violate(`available, but ${image.id} differs from the source`);
    }
  }

  /** Whatever is handed out is a copy of the source, by its id or by its mark. */
  checkHandedOut({ caller, step, how }: Ended): void {
    const { images, journal, known } = this;
    for (const { region, imageId, outcome } of step.images()) {
      if (imageId === null || outcome === 'failed') continue;
      const image = images.all.find(({ id }) => id === imageId);
      const words = `run ${caller.number} hands out ${imageId} in ${region} as ${outcome}`;
      if (!image) journal.violate(`${words}: there is no such image`);
      else if (image.id === SOURCE_ID) {
        if (!images.isSource(region)) journal.violate(`${words}: it is the source`);
      } else if (known.isSwapped(image, caller, how))
        journal.strike("somebody's image was answered, and is handed out");
      else if (!image.ofSource) {
        // A mark can be copied, and age decides between two; but no younger one stands against ours.
        const isOurs = ({ edited, maker }: ModelImage) =>
          !edited && (caller.settings.ifExists !== 'copy' || maker === caller.number);
        const ours = known
          .copiesIn(region)
          .find(
            (other) =>
              isOurs(other) &&
              images.isSound(other) &&
              wasSeen(caller, other) &&
              images.isOlder(other, image),
          );
        if (!images.isMarked(image) || (ours && how === 'itself'))
          journal.violate(`${words}: it is no copy of the source`);
        else journal.strike('stranger with our mark taken for ours');
      } else if (!caller.answered.has(imageId) && !images.isMarked(image) && !image.edited)
        journal.violate(`${words}: it has no mark, and no answer named it`);
    }
  }

  /** At the end of a run that ended by itself: beside what it hands out, nothing of it is left untold. */
  checkDoubles(ended: Ended): void {
    const { images, journal, known } = this;
    const { caller, step } = ended;
    for (const region of new Set([...images.targets().map((target) => target.region), SOURCE_REGION])) {
      // A site that drops descriptions, ignores the list of a batch and executes what it refuses is beyond help.
      const helpless = (image: ModelImage) =>
        (!image.asked && (image.told === 'refused' || !images.keepsMarks)) ||
        // One that was refused and has no mark is known by no list that comes after the step's last look.
        (image.told === 'refused' && !images.keepsMarks && names(step.warned, region)) ||
        (image.edited && !caller.named.has(image.id));
      const live = images.all.filter(
        (image) =>
          image.maker === caller.number &&
          image.region === region &&
          images.isLive(image) &&
          !helpless(image),
      );
      const kept = rowOf(step, region)?.imageId ?? null;
      const isForeign = images.all.some(({ id, ofSource }) => id === kept && !ofSource);
      if (live.length > 1) journal.strike('double at the end of a run');
      if (known.wasUnreadable(ended, region)) continue;
      const silent = live.filter(
        (image) =>
          image.id !== kept &&
          !names(step.warned, image.id) &&
          !known.isUnnamed(image, caller) &&
          images.isListed(image) &&
          image.listedAt <= this.lookUntil(ended, image) &&
          // One with a copied mark is taken at once, as ours would be.
          (!isForeign || wasSeen(caller, image)),
      );
      if (silent.length > (kept === null ? 1 : 0))
        journal.violate(
          `run ${caller.number} leaves ${silent.map(({ id }) => id).join(' and ')} in ${region} beside ${kept}`,
        );
    }
  }

  /** Until when what this run made must have been looked for: what is listed late, for as long as the step waits anyway. */
  private lookUntil({ caller, step }: Ended, image: ModelImage): number {
    const { images } = this;
    const isInTime = image.listedAt <= image.sentAt + SEEN_WITHIN;
    if (isInTime) return caller.deadline;
    if (!caller.settings.wait) return Number.NEGATIVE_INFINITY;
    const ids = step.images().map(({ imageId }) => imageId);
    const kept = images.all.filter((other) => other !== image && ids.includes(other.id));
    // A look that is younger than the pause between two looks is not made again at the end.
    return Math.min(caller.deadline, Math.max(...kept.map(readyAt))) - 15_000;
  }

  /** Every live image of a run is in its outputs or told, or the next run can find it. */
  checkLost(ended: Ended): void {
    const { images, journal, known } = this;
    const { caller, step, how } = ended;
    const outputs = step.outputs.get('images') ?? '';
    const targets = new Set(images.targets().map(({ region }) => region));
    for (const image of images.all) {
      if (image.maker !== caller.number || !images.isLive(image)) continue;
      if (names(outputs, image.id)) continue;
      // The line that it was started is not enough.
      if (how === 'itself' && caller.named.has(image.id) && !names(step.warned, image.id)) {
        journal.violate(
          `${image.id} in ${image.region} was answered to run ${caller.number}, and is told nowhere`,
        );
        continue;
      }
      if (names(step.told, image.id)) continue;
      const findable = targets.has(image.region) && images.keepsMarks && !image.edited;
      const tooLate =
        image.listedAt > Math.min(caller.deadline, image.sentAt + SEEN_WITHIN) || !images.isListed(image);
      const excused = how !== 'itself' || known.isDenied(image) || tooLate;
      if (findable && excused) continue;
      // Nobody can know it.
      const isStopped = caller.isHard(image.region) && names(step.warned, image.region);
      if (!images.keepsMarks && (excused || isStopped || !image.asked)) continue;
      if (image.edited && !caller.named.has(image.id)) continue;
      if (known.wasForged(image, caller)) continue;
      if (known.isUnnamed(image, caller)) continue;
      // A site without batches made it where only the last look and a rollback look, and there was none, or too early.
      if (!image.asked && (how !== 'itself' || image.told === 'refused' || tooLate)) continue;
      if (known.wasUnreadable(ended, image.region)) continue;
      journal.violate(`${image.id} in ${image.region}, made by run ${caller.number}, is lost`);
    }
  }
}
