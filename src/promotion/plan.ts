import type { Image } from '../cloud/cloud.ts';
import type { Findings } from './check.ts';
import { byAge } from './images.ts';
import { readMark } from './mark.ts';
import type { Copy, Order, Problem } from './model.ts';

export interface Plan {
  copies: Copy[];
  warnings: Problem[];
  /** Reasons not to begin. */
  problems: Problem[];
}

/** Decides, for each target, whether to copy, to adopt or to leave alone. Changes nothing. `now` in Unix milliseconds. */
export function plan(order: Order, findings: Findings, now: number): Plan {
  const { source } = findings;
  const result: Plan = { copies: [], warnings: warningsOf(source, now), problems: [] };
  const name = order.target.name ?? source.ImageName;
  if (!name) {
    result.problems.push({
      message: `target-image-name: the source ${source.ImageId} has no name to take over.`,
      advice: 'Give target-image-name: a copy is known again by its name.',
    });
    return result;
  }
  for (const region of order.target.regions) {
    const copy: Copy = {
      region,
      projectId: order.target.projectId,
      name,
      plan: 'copy',
      why: 'no copy of this source is there',
      imageId: null,
      taskId: null,
      state: null,
      outcome: 'planned',
      created: false,
      unclear: false,
      startedAt: null,
      finishedAt: null,
      problem: null,
    };
    result.copies.push(copy);
    if (region === order.source.region && findings.sourceProject === order.target.projectId) {
      settleAsSource(copy, source);
      if (order.target.name !== undefined && order.target.name !== source.ImageName) {
        result.warnings.push({
          message: `${region}: the target is the source itself, so it keeps its name ${source.ImageName ?? ''}.`,
          advice: 'An image cannot be copied inside its own project and region.',
        });
      }
      continue;
    }
    const held = findings.held.get(region) ?? [];
    const ours = copiesOf(order, source, held);
    // A state that nobody documented is taken for under way: to copy again could double the image.
    const healthy = ours
      .filter(({ ImageName, State }) => ImageName === name && State !== 'Unavailable')
      .sort(byAge);
    const [oldest, ...others] = healthy;
    if (oldest && order.ifExists === 'fail') {
      result.problems.push({
        message: `${region}: ${oldest.ImageId} is a copy of this source already, and if-exists is fail.`,
        advice: 'Use if-exists: adopt to take it, or copy to make another.',
      });
    } else if (oldest && order.ifExists === 'adopt') {
      copy.plan = 'adopt';
      copy.imageId = oldest.ImageId;
      copy.state = oldest.State ?? null;
      copy.outcome = 'adopted';
      copy.why = `this copy of the source is there, ${oldest.State ?? 'without a state'}`;
      if (others.length > 0) {
        result.warnings.push({
          message: `${region}: there are other copies of this source with this name: ${ids(others)}. The oldest, ${oldest.ImageId}, is adopted.`,
          advice: 'Delete those that nobody uses.',
        });
      }
    } else {
      copy.why = whyCopy(copy, held, ours, healthy);
    }
  }
  return result;
}

/** 8962, or the plan, says that the target is the source. */
export function settleAsSource(copy: Copy, source: Image): void {
  copy.plan = 'source';
  copy.why = 'the target is the source itself: nothing to copy';
  copy.outcome = 'source';
  copy.imageId = source.ImageId;
  copy.state = source.State ?? 'Available';
}

function copiesOf(order: Order, source: Image, held: Image[]): Image[] {
  return held.filter(({ ImageDescription }) => {
    const mark = readMark(ImageDescription);
    return mark?.region === order.source.region && mark.imageId === source.ImageId;
  });
}

function whyCopy(copy: Copy, held: Image[], ours: Image[], healthy: Image[]): string {
  if (healthy.length > 0) return `if-exists is copy; there already: ${ids(healthy)}`;
  const broken = ours.filter(({ ImageName }) => ImageName === copy.name);
  if (broken.length > 0) {
    return `the copy that is there cannot be used: ${broken.map(({ ImageId, State }) => `${ImageId} is ${State}`).join(', ')}`;
  }
  if (ours.length > 0) {
    return `copies of this source are there under another name: ${ours
      .map(({ ImageId, ImageName }) => `${ImageId} (${ImageName})`)
      .join(', ')}`;
  }
  const namesakes = held.filter(({ ImageName }) => ImageName === copy.name);
  if (namesakes.length > 0) {
    return `an image of this name is there but is not known as a copy of this source, so it is left alone: ${ids(namesakes)}`;
  }
  return copy.why;
}

function ids(images: Image[]): string {
  return images.map(({ ImageId }) => ImageId).join(', ');
}

function warningsOf(source: Image, now: number): Problem[] {
  const warnings: Problem[] = [];
  const disks = source.DataSnapshotIds?.length ?? 0;
  if (disks > 0) {
    warnings.push({
      message: `The source ${source.ImageId} has ${disks} data-disk snapshot${disks > 1 ? 's' : ''}: only the system disk is copied.`,
      advice: 'Copy the data disks on their own where the machines need them.',
    });
  }
  const [, year, month, day] = /^(\d{4})\/(\d{1,2})\/(\d{1,2})$/.exec(source.MaintainEol ?? '') ?? [];
  if (year && now >= Date.UTC(Number(year), Number(month) - 1, Number(day) + 1)) {
    warnings.push({
      message: `The source's operating system ${source.OsName ?? ''} reached the end of its life on ${source.MaintainEol}.`,
      advice: 'It gets no security updates: plan a newer image.',
    });
  }
  return warnings;
}
