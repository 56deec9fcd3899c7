import type { Effect, Fault } from '../scenario.ts';
import type { Caller } from './caller.ts';
import {
  DECISIVE,
  FINAL,
  OF_A_REGION,
  PASSING_READS,
  REFUSED,
  SOURCE_ID,
  SOURCE_PROJECT,
  SOURCE_REGION,
} from './facts.ts';
import { Part } from './part.ts';
import { regionsOf } from './wire.ts';

/** What strikes a call, and whom it excuses. */
export class Faults extends Part {
  /** What the site does to any such call for a while. */
  ownEffect(action: string, form: URLSearchParams, caller: Caller): Effect | null {
    const region = form.get('Region') ?? '';
    const now = this.clock.elapsed;
    const { outage } = this.scenario;
    const isRead = action !== 'CopyCustomImage' && action !== 'TerminateCustomImage';
    const isOut = outage && now >= outage.at * 1000 && now < (outage.at + outage.seconds) * 1000;
    if (isOut && (isRead || !outage.reads)) {
      this.journal.strike(`outage: ${outage.how}`);
      caller.disturbed = true;
      caller.hard.add('*');
      return outage.how === 'connection'
        ? { kind: 'refused' }
        : { kind: 'code', code: 153, executed: null, mask: 0 };
    }
    const unlisted = this.images.targets().find((target) => target.region === region)?.unlisted;
    const isList = action === 'DescribeImage' && form.get('ImageId') === null && !this.isReadOfSource(form);
    if (!unlisted || !isList || now >= unlisted.seconds * 1000) return null;
    this.journal.strike('region that cannot be listed');
    caller.disturbed = true;
    caller.hard.add(region);
    return unlisted.how === 'html'
      ? { kind: 'garbage', executed: null }
      : { kind: 'code', code: unlisted.how, executed: null, mask: 0 };
  }

  effectOf(action: string, serial: number, form: URLSearchParams): Effect | null {
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
    if (effect.kind === 'code' && effect.code === 8962 && regionsOf(form).includes(SOURCE_REGION))
      return null;
    return effect;
  }

  count(effect: Effect, action: string, caller: Caller, form: URLSearchParams): void {
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
    this.journal.strike(`${short} ${kind}${executed}`);
    if (effect.kind === 'code' && short === 'copy')
      this.journal.strike(`copy code ${effect.code}${executed}`);
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
      const regions = regionsOf(form);
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
}
