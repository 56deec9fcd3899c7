/** The names of the game, and what is documented of the API's codes: written from the facts about the API alone. */

export const SOURCE_REGION = 'cn-bj2';
export const SOURCE_PROJECT = 'org-build';
export const TARGET_PROJECT = 'org-prod';
export const SOURCE_ID = 'uimage-source';
export const NAME = 'Web-1.4.2';
/** Milliseconds from the start of a scenario. */
export const A_MONTH_AGO = -30 * 86_400_000;

export const REGIONS = ['hk', 'sg', 'us-ca', SOURCE_REGION, 'ge-fra'] as const;

/** Refusals of CopyCustomImage that may be one region's own. */
export const OF_A_REGION = [230, 240, 293, 299, 8095, 8300, 8970];
/** What CopyCustomImage says with a code: the documented table. Codes of neither list are ambiguous. */
export const FINAL = new Set([
  ...OF_A_REGION,
  ...[
    100, 160, 161, 170, 171, 172, 174, 210, 220, 292, 294, 295, 520, 8104, 8116, 8117, 8226, 8956, 8958, 8959,
  ],
]);
export const REFUSED = new Set([153, 8961, 8962, 8980]);
export const PASSING_READS = [
  ...[
    110, 130, 150, 153, 8022, 8024, 8025, 8031, 8041, 8097, 8108, 8825, 8826, 8828, 8829, 8853, 8857, 8861,
    8874,
  ],
  ...[8889, 8971, 8980],
];
/** What no patience helps against, also while a known copy is watched, looked for or deleted. */
export const DECISIVE = new Set([160, 161, 170, 171, 172, 174, 294, 299]);
export const CODES = [...new Set([...FINAL, ...REFUSED, ...PASSING_READS, 8960, 4711])];

/** Milliseconds after it was sent by which a copy is listed, if at all. */
export const SEEN_WITHIN = 110_000;
