import { SEEN_WITHIN } from '../world/facts.ts';
import { type Ended, names, Promises } from './knowledge.ts';

/** That what is called deleted is gone, and a rollback leaves nothing untold. */
export class Undone extends Promises {
  /** What is called deleted is not there. */
  checkDeleted(ended: Ended): void {
    const { images, journal, scenario, known } = this;
    const { step } = ended;
    // An empty list says so, once.
    if (scenario.faults.some(({ effect }) => effect.kind === 'blink')) return;
    const gone = step
      .images()
      .flatMap(({ imageId, state }) => (state === 'Deleted' && imageId ? [imageId] : []));
    const told = [
      /- void: \S+ (\S+)/g,
      /This run created (\S+) in \S+ [^;:]*; the action deleted it/g,
      /deleted its own (\S+) as/g,
    ];
    for (const form of told) for (const [, id = ''] of step.told.matchAll(form)) gone.push(id);
    for (const image of images.all) {
      // Nobody could see it when it was deleted.
      const isLate = image.deletedUnlisted || image.listedAt > image.sentAt + SEEN_WITHIN;
      if (!gone.includes(image.id) || isLate || !images.isListed(image)) continue;
      // A cancel came before the list that would have shown it.
      const wasCut = new RegExp(`\\b${image.region}\\b[^\n]* not searched`).test(step.warned);
      if (wasCut || known.wasUnreadable(ended, image.region)) continue;
      journal.violate(`${image.id} is called deleted, and is there`);
    }
  }

  checkRollback(ended: Ended, { postRuns, succeeded }: { postRuns: boolean; succeeded: boolean }): void {
    const { images, journal, scenario, known } = this;
    const { site, outage } = scenario;
    const { caller, step, how } = ended;
    const { rollback, laterStepFails } = caller.settings;
    if (rollback === 'never' || !images.keepsMarks) return;
    const due = rollback === 'step' ? !succeeded : !succeeded || laterStepFails;
    if (!due || (how !== 'itself' && !postRuns)) return;
    for (const image of images.all) {
      if (image.maker !== caller.number || image.deleted || known.isDenied(image)) continue;
      if (known.isUnknowable(image, caller) || known.wasUnreadable(ended, image.region)) continue;
      if (names(step.warned, image.id)) {
        const mayFail =
          image.edited ||
          images.wrong.has(image.id) ||
          site.deletes ||
          site.locked ||
          site.refusal ||
          site.throttle ||
          outage ||
          caller.isHard(image.region);
        const isKnown = how === 'itself' && caller.named.has(image.id) && names(step.known, image.id);
        if (!mayFail && isKnown && !caller.deletes.hard && caller.deletes.faults <= 3)
          journal.violate(`the rollback of run ${caller.number} gives ${image.id} up after what passes`);
        continue;
      }
      if (known.wasForged(image, caller)) continue;
      // Nobody waits for it to be listed.
      if ([...images.wrong.values()].includes(image.id)) continue;
      // Refused or not, a site that ignores the list makes it where nobody looks.
      if (!image.asked && image.told === 'refused') continue;
      if (image.listedAt > image.sentAt + SEEN_WITHIN && !caller.named.has(image.id)) continue;
      journal.violate(
        `the rollback of run ${caller.number} leaves ${image.id} in ${image.region} and does not say so`,
      );
    }
    journal.strike('rollback due');
  }
}
