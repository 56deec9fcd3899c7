import { describe, expect, it } from 'vitest';
import { outputsOf } from '../../src/outputs.ts';
import { aCopy, aPromotion, SOURCE, T0 } from '../words/promotions.ts';

const json = (text: string | undefined) => JSON.parse(text ?? 'none');

describe('the outputs', () => {
  it('of one target', () => {
    const outputs = outputsOf(aPromotion());
    expect(outputs).toMatchObject({
      status: 'available',
      'image-id': 'uimage-hk1',
      'task-id': 'task-hk1',
      'source-image-id': SOURCE.ImageId,
      'image-ids': '{"hk":"uimage-hk1"}',
      'task-ids': '{"hk":"task-hk1"}',
      'failed-regions': '[]',
      'summary-markdown': '',
    });
    expect(json(outputs.images)).toEqual([
      {
        region: 'hk',
        projectId: 'org-prod',
        imageId: 'uimage-hk1',
        taskId: 'task-hk1',
        name: 'web-1.4.2',
        state: 'Available',
        outcome: 'copied',
        seconds: 250,
        error: null,
      },
    ]);
  });

  it('of several targets leave out what is of one', () => {
    const outputs = outputsOf(
      aPromotion({ copies: [aCopy(), aCopy({ region: 'sg', imageId: 'uimage-sg1', taskId: null })] }),
    );
    expect(outputs['image-id']).toBe('');
    expect(outputs['task-id']).toBe('');
    expect(json(outputs['image-ids'])).toEqual({ hk: 'uimage-hk1', sg: 'uimage-sg1' });
    expect(json(outputs['task-ids'])).toEqual({ hk: 'task-hk1' });
  });

  it('hold the ids that are or may become usable, and in images all that are known', () => {
    const problem = { message: 'sg: it ended Unavailable.', advice: 'Look.' };
    const copies = [
      aCopy({ state: 'Copying', outcome: 'failed', pending: true, finishedAt: null, problem }),
      aCopy({ region: 'sg', imageId: null, taskId: null, outcome: 'failed', startedAt: null, problem }),
      aCopy({ region: 'us-ca', imageId: 'uimage-us', outcome: 'adopted', created: false }),
      aCopy({ region: 'kr', imageId: 'uimage-kr', state: 'Unavailable', outcome: 'failed', problem }),
    ];
    const outputs = outputsOf(aPromotion({ status: 'partial', copies }));
    expect(json(outputs['image-ids'])).toEqual({ hk: 'uimage-hk1', 'us-ca': 'uimage-us' });
    expect(json(outputs['failed-regions'])).toEqual(['hk', 'sg', 'kr']);
    const images = json(outputs.images) as { imageId: string; error: string; seconds: number | null }[];
    expect(images.map(({ imageId, error, seconds }) => [imageId, error, seconds])).toEqual([
      ['uimage-hk1', problem.message, null],
      [null, problem.message, null],
      ['uimage-us', null, 250],
      ['uimage-kr', problem.message, 250],
    ]);
  });

  it('do not hand out what a rollback has deleted, but still name it in images', () => {
    const outputs = outputsOf(aPromotion({ copies: [aCopy({ state: 'Deleted', outcome: 'failed' })] }));
    expect(outputs['image-id']).toBe('');
    expect(outputs['task-id']).toBe('');
    expect(outputs['image-ids']).toBe('{}');
    expect(outputs['task-ids']).toBe('{}');
    expect(json(outputs.images)).toMatchObject([{ imageId: 'uimage-hk1', state: 'Deleted' }]);
  });

  it('round the seconds to a tenth', () => {
    const copies = [aCopy({ startedAt: T0, finishedAt: T0 + 12_345 })];
    expect(json(outputsOf(aPromotion({ copies })).images)[0].seconds).toBe(12.3);
  });

  it('are all there, and JSON, when nothing is known', () => {
    const outputs = outputsOf(aPromotion({ status: 'failed', source: null, copies: [] }));
    expect(outputs).toEqual({
      status: 'failed',
      'image-id': '',
      'task-id': '',
      'image-ids': '{}',
      'task-ids': '{}',
      images: '[]',
      'source-image-id': '',
      'failed-regions': '[]',
      'summary-markdown': '',
    });
  });

  it('survive names in any script', () => {
    const copies = [aCopy({ name: '夜间"\n\u2028构建' })];
    expect(json(outputsOf(aPromotion({ copies })).images)[0].name).toBe('夜间"\n\u2028构建');
  });
});
