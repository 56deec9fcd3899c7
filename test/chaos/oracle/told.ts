import { type Ended, NOTICED, names, Promises } from './knowledge.ts';

/** What must not be said of an image that is there, or may be. */
const DENIES =
  /\b(was|were) not (copied|created|made)\b(?! by)|\bno (copy|image) was (copied|created|made)\b|\bnothing was (copied|created)|left no image|before (a|any) (copy|image) was (made|created)|before anything was copied/i;

/** That the words are true, and nothing that the reader needs is missing. */
export class Told extends Promises {
  /** Nobody says that an image is not there which is, or may be. */
  checkDenials({ caller, step, endedAt }: Ended): void {
    const { images, journal, known } = this;
    const headline = step.errors[0]?.split('\n')[0] ?? '';
    const any = images.all.find(
      (image) => image.maker === caller.number && !known.isDenied(image) && !image.deleted,
    );
    if (any && DENIES.test(headline))
      journal.violate(`${any.region} has ${any.id}, and the error says: ${headline}`);
    for (const { region, error } of step.images()) {
      if (error === null) continue;
      const there = images.all.find(
        (image) =>
          image.maker === caller.number &&
          image.region === region &&
          image.asked &&
          !known.isDenied(image) &&
          !image.deleted,
      );
      const coming = [...images.pending].some(
        (pending) => pending.caller === caller && pending.region === region && !pending.refused,
      );
      if ((there || coming) && DENIES.test(error))
        journal.violate(`${region} has ${there?.id ?? 'a copy under way'}, and the error says: ${error}`);
      if (there && there.listedAt > endedAt && error.includes(`${there.id} was still Copying`))
        journal.violate(`${there.id} was never listed, and the error says: ${error}`);
    }
  }

  /** What kept the step from its end is named. */
  checkThrottleIsNamed({ caller, step, status, endedAt }: Ended): void {
    const { journal } = this;
    if (!['failed', 'partial'].includes(status) || endedAt < caller.deadline) return;
    if (caller.throttledSince === null || endedAt - caller.throttledSince < NOTICED) return;
    // The rollback was held up, or the check, not what the error is about.
    if (/rolled back|if-exists is fail/.test(step.errors.join('\n'))) return;
    journal.strike('throttled until the timeout');
    if (!/throttl|request rate|requests|RetCode 153|HTTP 429|kept this step waiting/i.test(step.warned))
      journal.violate(`the throttle until the timeout is not named: ${step.errors.join(' / ')}`);
  }

  /** A step without a wait cannot see what is listed late beside the copy that was sent again, and says so. */
  checkLateIsTold({ caller, step, endedAt }: Ended): void {
    const { images, journal } = this;
    if (caller.settings.wait) return;
    for (const image of images.all) {
      const { maker, region, listedAt, told, id } = image;
      if (maker !== caller.number || listedAt <= endedAt || told !== 'unclear' || !images.isLive(image))
        continue;
      if ((caller.sends.get(region) ?? 0) < 2 || names(step.told, id)) continue;
      journal.strike('may still turn up');
      if (!names(step.warned, region))
        journal.violate(`${id} may still turn up in ${region}, and nobody is told`);
    }
  }

  /** A site that loses the mark: the next run would copy again, and the reader has to know. */
  checkMarkLossIsTold({ caller, step, status }: Ended): void {
    const { images, journal, scenario } = this;
    if (images.keepsMarks || caller.faults > 0 || caller.hard.size > 0 || scenario.site.throttle) return;
    if (status !== 'available' && status !== 'copying') return;
    const made = images.all.filter((image) => image.maker === caller.number && image.asked);
    const isSeen = made.length > 0 && made.every((image) => image.fate.listedAfter === 0 && !image.deleted);
    if (!isSeen) return;
    journal.strike('mark lost by the site');
    if (!/\bmark|descri/i.test(step.warned)) journal.violate('the site loses the mark, and nobody is told');
  }
}
