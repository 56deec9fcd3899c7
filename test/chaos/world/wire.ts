import type { Effect } from '../scenario.ts';
import type { Process } from './caller.ts';

export interface Reply {
  status: number;
  body: string;
  /** The last page of a list. */
  whole?: boolean;
}

export interface Call {
  action: string;
  form: URLSearchParams;
  process: Process;
  sentAt: number;
  effect: Effect | null;
}

export function regionsOf(form: URLSearchParams): string[] {
  const listed = [...form].filter(([name]) => name.startsWith('TargetRegionList.')).map(([, value]) => value);
  if (listed.length > 0) return listed;
  return [form.get('TargetRegion') ?? form.get('Region') ?? ''];
}

export function parse(body = ''): {
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
export function codeOf(body = ''): number | null {
  const [, code] = /^\{"RetCode":(\d+)/.exec(body) ?? [];
  return code === undefined ? null : Number(code);
}

export function ok(action: string, fields: object): string {
  return JSON.stringify({ RetCode: 0, Action: `${action}Response`, ...fields });
}

export function refusal(action: string, code: number): string {
  return JSON.stringify({ RetCode: code, Action: `${action}Response`, Message: 'as told' });
}

/** Whether the region at this place of a list is executed. */
export function isExecuted(effect: Effect | null, index: number): boolean {
  return effect?.kind !== 'code' || ((effect.mask >> index) & 1) === 1;
}
