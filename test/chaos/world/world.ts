import { TransportError } from '../../../src/cloud/explain.ts';
import type { Transport, TransportAnswer } from '../../../src/cloud/transport.ts';
import type { VirtualClock } from '../../virtual-clock.ts';
import type { Effect, Scenario } from '../scenario.ts';
import { describe } from '../story.ts';
import type { Process } from './caller.ts';
import { Demands } from './demands.ts';
import { FINAL, OF_A_REGION, REFUSED } from './facts.ts';
import { Faults } from './faults.ts';
import { Images, type ModelImage } from './images.ts';
import { Journal } from './journal.ts';
import { Lists } from './lists.ts';
import { Service } from './service.ts';
import { type Call, isExecuted, ok, type Reply, refusal, regionsOf } from './wire.ts';

/**
 * A model of the cloud in virtual time, written from the facts about the API alone. It assumes that a copy is executed at most 60 s
 * after it was sent, and that an image is listed at most 50 s after it was made; what is later than that is never
 * demanded to be seen in time.
 */
export class World {
  readonly journal: Journal;
  readonly images: Images;
  faulty = true;
  private readonly clock: VirtualClock;
  private readonly scenario: Scenario;
  private readonly faults: Faults;
  private readonly demands: Demands;
  private readonly lists: Lists;
  private readonly service: Service;
  private readonly counts = new Map<string, number>();

  constructor(clock: VirtualClock, scenario: Scenario, keepsLog = true) {
    this.clock = clock;
    this.scenario = scenario;
    this.journal = new Journal(clock, keepsLog);
    this.images = new Images(clock, scenario, this.journal);
    const { journal, images } = this;
    this.faults = new Faults(clock, scenario, journal, images);
    const demands = new Demands(clock, scenario, journal, images);
    const lists = new Lists(clock, scenario, journal, images);
    this.demands = demands;
    this.lists = lists;
    this.service = new Service(clock, scenario, { journal, images, demands, lists });
  }

  transportFor(process: Process): Transport {
    return {
      send: (request) => this.send(process, request),
      close: async () => undefined,
    };
  }

  private async send(
    process: Process,
    { body, timeout, signal }: Parameters<Transport['send']>[0],
  ): Promise<TransportAnswer> {
    signal?.throwIfAborted();
    const { caller } = process;
    const form = new URLSearchParams(body);
    const action = form.get('Action') ?? '';
    const isCopy = action === 'CopyCustomImage';
    const serial = (this.counts.get(action) ?? 0) + 1;
    this.counts.set(action, serial);
    this.demands.countCall();
    const regions = isCopy ? regionsOf(form) : [];
    if (isCopy) {
      process.onCopy();
      this.demands.checkCopy(caller, regions);
    }
    const own = this.faulty ? this.faults.ownEffect(action, form, caller) : null;
    const effect = own ?? (this.faulty ? this.faults.effectOf(action, serial, form) : null);
    const label = this.journal.keepsLog
      ? `${action} ${serial} ${form.get('ImageId') ?? (regions.join(',') || (form.get('Region') ?? ''))}`
      : '';
    if (this.journal.keepsLog)
      this.journal.note(
        `run ${caller.number} ${process.phase}: ${label}${effect ? ` [${describe(effect)}]` : ''}`,
      );
    if (effect && effect !== own) this.faults.count(effect, action, caller, form);

    const sentAt = this.clock.elapsed;
    const call = { action, form, process, sentAt, effect };
    const play = this.play(call, timeout);
    try {
      await this.clock.sleep(Math.min(play.answerAfter, timeout), signal);
    } catch (reason) {
      if (isCopy) this.demands.checkPatience(caller, sentAt + play.answerAfter);
      throw reason;
    }
    if (!process.alive) return new Promise(() => undefined);
    const reply = play.answerAfter >= timeout ? null : play.reply();
    this.noteAnswer(label, reply, effect);
    if (isCopy) this.demands.judgeAnswer(process, regions, call, reply);
    else if (action === 'DescribeImage') this.demands.judgeList(call, reply);
    this.demands.countThrottle(caller, reply);
    if (!reply)
      throw new TransportError({ message: 'broken', advice: 'Try again.' }, effect?.kind !== 'refused');
    return { status: reply.status, headers: { 'x-ucloud-request-uuid': `id-${serial}` }, body: reply.body };
  }

  private noteAnswer(label: string, reply: Reply | null, effect: Effect | null): void {
    if (!this.journal.keepsLog) return;
    const words = reply
      ? reply.body.length > 160
        ? `${reply.body.slice(0, 160)}…`
        : reply.body
      : 'no answer';
    if (effect || label.startsWith('Copy') || label.startsWith('Terminate'))
      this.journal.note(`  ${label} -> ${words}`);
  }

  /** When the call runs, in the cloud; when its answer is there, and which. */
  private play(call: Call, timeout: number): { answerAfter: number; reply: () => Reply | null } {
    const { action, form, process, effect } = call;
    const latency = this.scenario.site.latency;
    let result: Reply = { status: 500, body: '' };
    const isCopy = action === 'CopyCustomImage';
    const run = (seconds: number | null, how: ModelImage['told']) => {
      if (seconds === null) return;
      const regions = isCopy ? regionsOf(form).filter((_, index) => isExecuted(effect, index)) : [];
      const pending = regions.map((region) => ({
        caller: process.caller,
        region,
        refused: how === 'refused',
      }));
      for (const one of pending) this.images.pending.add(one);
      this.clock.after(Math.max(latency / 2, seconds * 1000), () => {
        for (const one of pending) this.images.pending.delete(one);
        result = this.service.execute(call, how);
      });
    };
    const fixed = (status: number, body: string) => ({
      answerAfter: latency,
      reply: () => ({ status, body }),
    });
    switch (effect?.kind) {
      case undefined:
        run(0, 'id');
        return { answerAfter: latency, reply: () => result };
      case 'blink':
        run(0, 'id');
        return {
          answerAfter: latency,
          reply: () => ({ status: 200, body: ok(action, { ImageSet: [], TotalCount: 0 }) }),
        };
      case 'unwhole':
        run(0, 'id');
        return {
          answerAfter: latency,
          reply: () => this.lists.unwhole(result, effect.how, call),
        };
      case 'slow':
        run(effect.seconds / 2, 'id');
        return { answerAfter: effect.seconds * 1000, reply: () => result };
      case 'refused':
        return { answerAfter: latency, reply: () => null };
      case 'lost':
        run(effect.executed, 'unclear');
        return { answerAfter: Math.max(latency, effect.after * 1000), reply: () => null };
      case 'hang':
        run(effect.executed, 'unclear');
        return { answerAfter: timeout, reply: () => null };
      case 'http':
        if (effect.status >= 500) run(effect.executed, 'unclear');
        return fixed(effect.status, '<html>out of order</html>');
      case 'code': {
        const clear = FINAL.has(effect.code) || REFUSED.has(effect.code);
        // Only a batch may have run in part when it is refused for good, and not for what strikes every call alike.
        const mayRun =
          !FINAL.has(effect.code) ||
          (isCopy && regionsOf(form).length > 1 && OF_A_REGION.includes(effect.code));
        if (mayRun) run(effect.executed, clear ? 'refused' : 'unclear');
        return fixed(200, refusal(action, effect.code));
      }
      case 'garbage':
        run(effect.executed, 'unclear');
        return fixed(200, '<html>sign in</html>');
      case 'truncated':
        run(0, 'unclear');
        return {
          answerAfter: latency,
          reply: () => ({
            status: result.status,
            body: result.body.slice(0, Math.max(1, result.body.length - 9)),
          }),
        };
      case 'partial':
        run(0, 'id');
        return { answerAfter: latency, reply: () => result };
    }
  }
}
