import { SOURCE_PROJECT } from './facts.ts';
import type { ModelImage } from './images.ts';
import { Part } from './part.ts';
import { type Call, ok, parse, type Reply } from './wire.ts';

/** What a read shows of the images at a moment. */
export class Lists extends Part {
  private readonly rows = new Map<ModelImage, string>();

  describe(form: URLSearchParams, answer: (fields: object) => Reply, refuse: (code: number) => Reply): Reply {
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

  /** Rows are missing from a page, and the total tells it; or there are no rows at all. */
  unwhole(result: Reply, how: 'empty' | 'rows' | 'no set' | 'null', { action, form }: Call): Reply {
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

  private shownTo(form: URLSearchParams): ModelImage[] {
    const id = form.get('ImageId');
    const project = form.get('ProjectId') ?? SOURCE_PROJECT;
    return this.images.all.filter(
      (image) =>
        (this.scenario.site.everywhere || image.region === form.get('Region')) &&
        image.project === project &&
        (id === null || image.id === id) &&
        this.isShown(image, id !== null),
    );
  }

  /** A read shows it, though it may be gone. */
  private isShown(image: ModelImage, byId: boolean): boolean {
    if (image.deleted === null) return this.images.isListed(image);
    const { ghosts } = this.scenario.site;
    const isGhost =
      ghosts !== null &&
      (ghosts.byId || !byId) &&
      image.listedAt <= image.deleted.at &&
      this.clock.elapsed < image.deleted.at + ghosts.seconds * 1000;
    if (isGhost) this.journal.strike('deleted and still listed');
    return isGhost;
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
    const state = this.images.stateOf(image);
    const { sizeless, end } = image.fate;
    const hasNoSize = sizeless === 'always' || (sizeless === 'at first' && state !== 'Available');
    if (hasNoSize) this.journal.strike('size of 0');
    if (states === 'UnAvailable' && state === 'Unavailable') this.journal.strike('UnAvailable');
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
}
