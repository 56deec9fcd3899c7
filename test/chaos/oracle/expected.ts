import { SEEN_WITHIN } from '../world/facts.ts';
import type { ModelImage } from '../world/images.ts';
import { type Ended, NOTICED, Promises, readyAt, rowOf, wasNeverMarked } from './knowledge.ts';

/** That a run which met nothing that stays succeeds, in time. */
export class Expected extends Promises {
  /**
   * A run that met only few and passing faults succeeds wherever the region itself allows it; a region that does not fails for its own reason. A
   * run after a success copies nothing.
   */
  checkExpected(ended: Ended, last: Ended | null): void {
    const { images, journal } = this;
    const { caller, step, status } = ended;
    const { settings } = caller;
    // Where lists show every region, a copy may be refused by right: nobody knows where it is.
    if (this.scenario.site.everywhere) return;
    if (settings.stop || !settings.wait || settings.timeout !== '2h' || settings.ifExists === 'fail') return;
    if (caller.faults > 3 || caller.hard.has('*')) return;
    const regions = images.targets().map(({ region }) => region);
    // The check has nothing to go on: each error is final at the first look.
    if (regions.every((region) => caller.hard.has(region))) return;
    const all = new Map(regions.map((region) => [region, this.expectedIn(region, ended)]));
    // One that fails by right takes all others with it.
    if (settings.rollback !== 'never' && [...all.values()].some((expected) => expected !== 'sound')) return;
    let plain = true;
    for (const [region, expected] of all) {
      const row = rowOf(step, region);
      if (expected === null) plain = false;
      else if (expected === 'sound') {
        if (row?.outcome === 'failed' || !row?.imageId)
          journal.violate(
            `run ${caller.number} met nothing in ${region} that does not pass, and ends there: ${row?.error ?? 'without a row'}`,
          );
      } else {
        plain = false;
        if (row?.outcome !== 'failed' || !row.error?.includes(String(expected)))
          journal.violate(
            `${region} refuses with ${expected}, and run ${caller.number} says of it: ${row?.outcome}, ${row?.error}`,
          );
        else journal.strike('region that failed alone, for its reason');
      }
    }
    if (!plain) return;
    journal.strike('run that must succeed');
    if (status !== 'available')
      journal.violate(`run ${caller.number} met nothing that does not pass, and ends ${status}`);
    this.checkAgain(ended, last);
  }

  /** What must become of a target: a sound image, a refusal by this code, or null for either. */
  private expectedIn(region: string, ended: Ended): 'sound' | number | null {
    const { images, known } = this;
    const { caller, gone } = ended;
    if (caller.isHard(region) || (caller.unclear.get(region) ?? 0) >= 4) return null;
    if (images.isSource(region)) return 'sound';
    const copies = known.copiesIn(region).filter(({ id }) => !gone.has(id));
    const misnamed = [...images.wrong].flat();
    const isMisnamed = copies.some(({ id }) => misnamed.includes(id));
    const isLateToo = ({ id, sentAt, listedAt }: ModelImage) =>
      misnamed.includes(id) && listedAt > sentAt + SEEN_WITHIN;
    if (copies.some(isLateToo)) return null;
    const isDoubtful = caller.unclear.has(region) || caller.refused.has(region) || copies.length > 1;
    // It may be taken for ours after an unclear answer, and then the target fails.
    if (known.hasStrangers(region) && isDoubtful) return null;
    if (known.hasGhosts(region)) return null;
    // Another run has deleted its own meanwhile: what was adopted may have been that.
    const isUndone = ({ deleted, maker }: ModelImage) =>
      deleted?.by === 'us' && deleted.at >= caller.startedAt && maker !== caller.number;
    if (known.copiesIn(region).some(isUndone)) return null;
    const forged = images.all.some(
      (image) => image.region === region && !image.ofSource && images.isMarked(image),
    );
    if (forged) return null;
    if ((isDoubtful || isMisnamed) && (!images.keepsMarks || copies.some(({ edited }) => edited)))
      return null;
    const { startedAt, settings } = caller;
    const adopts = settings.ifExists === 'adopt';
    const held = copies.filter(({ madeAt, maker }) => madeAt < startedAt || maker === 'earlier');
    // Of two with one mark only the older counts: a description can be copied.
    const isHidden = (image: ModelImage) =>
      held.some(
        (other) =>
          other.maker === image.maker &&
          images.isOlder(other, image) &&
          images.isLive(other, startedAt) &&
          !images.isSound(other, startedAt),
      );
    const isThere = held.some(
      (image) =>
        !isHidden(image) &&
        images.isSound(image, startedAt) &&
        images.isListed(image, startedAt) &&
        images.isMarked(image) &&
        image.fate.removedAfter === undefined,
    );
    // What was adopted is read again at the end: at the deadline there is no time for another.
    const isLate = ended.endedAt >= caller.deadline;
    const hasVanished = held.some(({ deleted }) => deleted?.by === 'somebody' && deleted.at >= startedAt);
    if (adopts && isThere) return isLate && hasVanished ? null : 'sound';
    const sound = copies.every(
      ({ fate, deleted }) =>
        fate.end === 'Available' && deleted?.by !== 'somebody' && fate.removedAfter === undefined,
    );
    if (!sound || (adopts && held.length > 0 && held.some((image) => !images.isMarked(image)))) return null;
    const code = images.refusalOf(region);
    if (code === null) return 'sound';
    return held.length > 0 ? null : code;
  }

  /** A run after a success. */
  private checkAgain({ caller, step, isLast }: Ended, last: Ended | null): void {
    const { images, journal, scenario, known } = this;
    if (!isLast || last?.status !== 'available' || !images.keepsMarks) return;
    const before = scenario.runs.at(-1);
    const again = before?.ifExists === 'adopt' && !scenario.runs.some(({ ifExists }) => ifExists === 'copy');
    const regions = images.targets().map(({ region }) => region);
    const several = regions.some(
      (region) => known.copiesIn(region).filter((image) => images.isLive(image)).length > 1,
    );
    const excused =
      // What was accepted may be deleted any time.
      scenario.site.deletes?.how === 'late' ||
      before?.laterStepFails ||
      before?.twin !== null ||
      several ||
      known.overlapped.size > 0 ||
      regions.some((region) => known.hasStrangers(region)) ||
      images.all.some(({ deleted, edited }) => deleted?.by === 'somebody' || edited);
    if (!again) return;
    const same = last.step.outputs.get('image-ids') === step.outputs.get('image-ids');
    const copied = images.all.some(({ maker }) => maker === caller.number);
    if (!excused && (copied || !same))
      journal.violate('a run after a success copies again, or gives other ids');
    if (!before?.laterStepFails) journal.strike('re-run after success');
  }

  /** What this run made, and what is sound in good time, is not called failed. */
  checkSoundIsTaken({ caller, step, endedAt }: Ended): void {
    const { images, journal, known } = this;
    if (!caller.settings.wait || caller.faults > 3 || this.scenario.site.everywhere) return;
    for (const { region } of images.targets()) {
      const row = rowOf(step, region);
      if (row?.outcome !== 'failed' || caller.isHard(region) || known.hasStrangers(region)) continue;
      // It failed with another region: what a rollback leaves of it is told.
      if (row.state === 'Deleted' || row.error?.includes('left over from the rollback')) continue;
      const good = known
        .copiesIn(region)
        .find(
          (image) =>
            image.maker === caller.number &&
            image.asked &&
            images.isSound(image) &&
            readyAt(image) <= Math.min(endedAt, caller.deadline) - NOTICED &&
            image.listedAt <= image.sentAt + SEEN_WITHIN &&
            !known.isDenied(image) &&
            !known.isUnknowable(image, caller) &&
            !wasNeverMarked(image),
        );
      const isOut = caller.lists.get(region)?.failed === true;
      if (good && !isOut)
        journal.violate(`${region} has ${good.id}, which is sound, and ends as failed: ${row.error}`);
    }
  }

  /** The step ends soon after its copies; and a lost answer that was found leaves no warning. */
  checkBounds({ caller, step, status, endedAt }: Ended): void {
    const { images, journal, scenario, known } = this;
    const { site, targets } = scenario;
    const { settings, startedAt } = caller;
    const isQuiet =
      !caller.disturbed &&
      !site.everywhere &&
      site.throttle === null &&
      site.batch &&
      !site.answersOne &&
      site.ghosts === null &&
      images.keepsMarks &&
      images.wrong.size === 0 &&
      targets.every(({ refuses, unlisted, strangers }) => !refuses && !unlisted && strangers.length === 0);
    const rows = step.images();
    if (!settings.wait || settings.twin !== null || !isQuiet || rows.length < targets.length) return;
    if ([...caller.sends.values()].some((sent) => sent > 1) || step.warned.includes('as a duplicate')) return;
    let ready = Math.max(startedAt, caller.answeredAt);
    for (const { region, imageId, outcome } of rows) {
      const image = images.all.find(({ id }) => id === imageId);
      if (outcome === 'source') continue;
      // Its own was looked for until the window was over, then another run's was taken.
      if (outcome === 'adopted' && caller.unclear.size > 0) return;
      if (!image || image.deleted || image.edited || image.fate.end !== 'Available') return;
      // An older one was waited for first: with its mark, or another run's that was not ready in time.
      const isBefore = (other: ModelImage) =>
        (other.maker === image.maker || other.fate.end === 'stuck' || readyAt(other) > caller.deadline) &&
        images.isOlder(other, image) &&
        readyAt(other) > startedAt;
      if (known.copiesIn(region).some(isBefore)) return;
      ready = Math.max(ready, readyAt(image));
    }
    // It waited for its own, also where an older one of another run is handed out in the end.
    for (const image of images.all) {
      if (image.maker !== caller.number) continue;
      if (image.deleted || image.fate.end === 'stuck') return;
      ready = Math.max(ready, readyAt(image));
    }
    if (ready > caller.deadline) return;
    const interval = { '': 0, '2s': 2_000, '30s': 30_000 }[settings.pollInterval] ?? 0;
    const most = 20_000 + Math.max(36_000, 0.07 * (ready - startedAt)) + 1.1 * interval;
    journal.strike('end within bounds');
    if (endedAt > ready + most)
      journal.violate(
        `run ${caller.number} ends ${(endedAt - ready) / 1000} s after its copies, at most ${most / 1000} s are due`,
      );
    const isPlain =
      status === 'available' &&
      caller.unclear.size > 0 &&
      site.others === 0 &&
      !site.denies &&
      targets.every(
        ({ held, fates }) =>
          held.length === 0 && fates.every(({ odd, listedAfter }) => !odd && listedAfter <= 50),
      ) &&
      !images.all.some(
        ({ maker, deleted, edited, fate }) =>
          typeof maker === 'number' &&
          maker !== caller.number &&
          (deleted || edited || fate.end !== 'Available'),
      );
    if (!isPlain) return;
    journal.strike('lost answer that was found');
    if (step.warnings.length > 0)
      journal.violate(`a lost answer was found, and there is a warning: ${step.warnings[0]}`);
  }
}
