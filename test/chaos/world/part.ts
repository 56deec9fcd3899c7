import type { VirtualClock } from '../../virtual-clock.ts';
import type { Scenario } from '../scenario.ts';
import type { Images } from './images.ts';
import type { Journal } from './journal.ts';

/** A part of the world: all that it goes by. */
export class Part {
  protected readonly clock: VirtualClock;
  protected readonly scenario: Scenario;
  protected readonly journal: Journal;
  protected readonly images: Images;

  constructor(clock: VirtualClock, scenario: Scenario, journal: Journal, images: Images) {
    this.clock = clock;
    this.scenario = scenario;
    this.journal = journal;
    this.images = images;
  }
}
