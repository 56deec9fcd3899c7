import type { Copy, Promotion } from '../../src/promotion/model.ts';

/** A finished promotion with one Available copy a region. */
export function promotion(ids: Record<string, string>, change: Partial<Copy> = {}): Promotion {
  return {
    status: 'available',
    source: { ImageId: 'uimage-source', ImageName: 'web-1.4.2' },
    copies: Object.entries(ids).map(([region, imageId]) => ({
      region,
      projectId: 'org-prod',
      name: 'web-1.4.2',
      plan: 'copy',
      why: 'it is not there',
      imageId,
      taskId: null,
      state: 'Available',
      outcome: 'copied',
      created: true,
      startedAt: 0,
      finishedAt: 1000,
      problem: null,
      unclear: false,
      optional: false,
      listed: true,
      pending: false,
      others: [],
      ...change,
    })),
    problems: [],
    ended: 'complete',
    seconds: 1,
  };
}
