/**
 * What an error asks for. `final`: report it at once. `retry`: wait and repeat; nothing was done. `ambiguous`: it may have
 * been executed, so look before sending again. `source-pending`: wait for the source image. `nothing-to-copy`: the
 * target is the source itself. Reads and deletes only know the first two.
 */
export type Verdict = 'final' | 'retry' | 'ambiguous' | 'source-pending' | 'nothing-to-copy';

/**
 * `target`: may be the reason of one region only. `order`: the source or the request itself, wherever it goes. `account`:
 * strikes every call alike, as keys, bills, the gateway and the network do.
 */
export type Blames = 'target' | 'order' | 'account';

interface Words {
  /** Goes after "failed: ", so it has no full stop. */
  meaning: string;
  /** What to do: whole sentences. In an error "this call" is the call's name, "its project" the project, "this code" the RetCode. */
  advice: string;
}

interface Class {
  reads: 'final' | 'retry';
  copy: Verdict;
  blames: Blames;
  /** No repetition can help, even where a copy that is known is watched or deleted. `delete`: when it is a delete. */
  decisive?: true | 'delete';
  /** The account sends too much: every call must slow down. */
  slow?: true;
  /** The least wait before the next attempt. */
  waitSeconds?: 30;
}

export interface ReturnCode extends Words, Class {
  /** Words that fit better for one call, or where the request had no such parameter. */
  instead?: readonly (Words & Case)[];
}

/** `unless`: not when the API's message says so. `named`: the message names a parameter whose input is known. */
type Case =
  | { call: 'AssumeRole' }
  | { without: 'ProjectId' | 'SecurityToken'; unless?: RegExp }
  | { named: true };

export const LATER =
  "Re-run the job in a few minutes; if it lasts, give the request id to the vendor's support.";
const CHECK_BODY =
  'Check that api-url is the address of the API itself and that no proxy changes the request body.';

const FINAL = { reads: 'final', copy: 'final' } as const;
const UNSURE = { reads: 'retry', copy: 'ambiguous' } as const;

/** The codes of a class, one or several to a row; those of a row share their words. */
type Rows = Record<string, [meaning: string, advice: string, ...instead: (Words & Case)[]]>;

/** Every code that is known. Classes and their sources: the vendor's API reference and clients. */
const CLASSES: readonly [Class, Rows][] = [
  [
    { ...UNSURE, blames: 'account' },
    {
      '110': ['the gateway gave up on the API after 60 seconds', LATER],
      '130': ["the API's gateway, or its check of the keys, failed", LATER],
      '150': ['the service is not available', LATER],
      '8097, 8108': ['the billing service of the API failed', LATER],
    },
  ],
  [
    { reads: 'retry', copy: 'retry', blames: 'account', slow: true },
    {
      '153': [
        'the API throttles this account, which sends more requests than it may',
        'Run fewer jobs at once (max-parallel in a matrix), or ask the vendor to raise the request rate of the account.',
      ],
    },
  ],
  [
    { reads: 'retry', copy: 'retry', blames: 'target', waitSeconds: 30 },
    { '8980': ['the API asks to wait 30 seconds before the next attempt', LATER] },
  ],
  [
    { ...FINAL, blames: 'account', decisive: true },
    {
      '160': ['the API found no Action in the request', CHECK_BODY],
      '161': [
        'this API endpoint does not know the call',
        'Check that api-url is the API endpoint of the brand that holds the image; not every brand offers this call.',
      ],
      '170': ['the API found no signature in the request', CHECK_BODY],
      '171': [
        'the signature does not match: the key pair is wrong, or belongs to another brand',
        'Copy public-key and private-key again from the same row of the console, without a line break or a space at the end, and check that api-url is the API endpoint of the brand that issued them.',
      ],
      '172': [
        'the API does not know this public key',
        'Check that public-key and private-key are one pair of the account that api-url belongs to, and that the secrets are set where this job runs.',
      ],
      '174': [
        'the security token is unknown or has expired',
        'Get new temporary keys right before this step, valid for longer than its timeout, and set security-token to the token issued with them; leave it empty for permanent keys. With role-urn, re-run the job: the action then asks for new keys.',
        {
          without: 'SecurityToken',
          meaning: 'this brand does not accept the keys without its channel key, or not with this one',
          advice:
            'Check that api-url is the API endpoint of the brand that issued the keys. A brand on the domain of the main one needs its channel key: set channel-key to the value (ch_…) that the brand gives; leave it empty for every other brand.',
        },
      ],
      '294': [
        "the runner's IP address is not on the account's allow-list of API callers",
        'Hosted runners change their address from job to job: use a self-hosted runner or one behind a static egress IP, or a larger runner with static IPs, and put that address on the allow-list in the console.',
      ],
    },
  ],
  [
    { ...FINAL, blames: 'account', decisive: 'delete' },
    {
      '295': [
        "the account's security lock asks for a second check before this operation",
        'Do it in the console, where the check can be answered, or ask the owner of the account to lift the lock. Reads and copies usually pass under it, deletions do not.',
      ],
    },
  ],
  [
    { ...FINAL, blames: 'target', decisive: true },
    {
      '299': [
        "the IAM policy of the key's user does not allow it",
        "Allow this call for its project in the policy of the key's user.",
        {
          without: 'ProjectId',
          meaning: "the IAM policy of the key's user does not allow it without a project, or not at all",
          advice:
            "Set project-id to the project of the source image: sub-accounts must name it. If that does not help, allow this call for that project and region in the policy of the key's user.",
        },
        {
          call: 'AssumeRole',
          meaning: 'the user of the keys may not assume this role',
          advice:
            'Give the user of public-key the policy STSCreateOnlyAccess, and check that the role in role-urn trusts that user.',
        },
      ],
    },
  ],
  [
    { ...FINAL, blames: 'account' },
    {
      '520': [
        "the account's balance is too low",
        "Top up the account in the console's billing pages, then re-run the job.",
      ],
      '8104': [
        'the account has an unpaid order, and copies are blocked until it is settled',
        "Pay or cancel the order in the console's billing pages, then re-run the job.",
      ],
      '8116': [
        'hourly billing is not allowed for the account',
        'Ask the vendor to allow hourly billing for the account, then re-run the job.',
      ],
      '8117': [
        'a bill of the account has expired',
        "Settle the account's bills in the console's billing pages, then re-run the job.",
      ],
    },
  ],
  [
    { ...FINAL, blames: 'order' },
    {
      '100, 210, 220': [
        'a parameter is missing',
        "Set the input behind the parameter that the API's message names; sub-accounts must set project-id.",
        { named: true, meaning: 'a parameter is missing', advice: 'Set it in the workflow.' },
      ],
      '292': [
        'the project does not exist, or these keys may not see it',
        'Check project-id and target-project-id against the project list in the console.',
        {
          without: 'ProjectId',
          meaning: 'the account has no default project, or these keys may not see it',
          advice:
            'Set project-id to the project of the source image, and check target-project-id, against the project list in the console.',
        },
      ],
      '8958': [
        "images of the source's zone cannot be copied",
        'Create a custom image from a host in another zone of the region and copy that one, or ask the vendor about the zone.',
      ],
      '8959': [
        'the image is in an old format that cannot be copied',
        'Start a host from the image, create a custom image of it, and copy that one.',
      ],
    },
  ],
  [
    { ...FINAL, blames: 'target' },
    {
      '230': [
        'a parameter is not valid, or the account may not use that region',
        "Check the input behind the parameter that the API's message names: the region ids, project-id, target-project-id, the image name. A new region may have to be opened for the account first.",
        {
          without: 'ProjectId',
          unless: /\[(?!ProjectId|organization_id)/,
          meaning: 'a parameter is not valid, or the account must name a project',
          advice:
            'Set project-id to the project of the source image: sub-accounts must name it. If that does not help, check the region ids, target-project-id and the image name, and that the account has opened the region.',
        },
        { named: true, meaning: 'a parameter is not valid', advice: 'Correct it in the workflow.' },
        {
          call: 'AssumeRole',
          meaning: 'the API does not accept the role, or not for so long',
          advice:
            "Check role-urn (ucs:iam::COMPANY:role/NAME) and role-duration, which may not exceed the role's own maximum.",
        },
      ],
      '240, 293': [
        'the account may not use this zone',
        'Leave zone empty, or name a zone of the region that is open to the account.',
      ],
      '8095': [
        'the quota of custom images in the target region is used up',
        'Delete custom images there that nobody needs (the action prune deletes old copies), or ask the vendor to raise the quota, then re-run the job.',
      ],
      // The law asks for it in some regions only.
      '8226': [
        'the account has not passed the real-name check',
        'Complete the real-name verification in the console, then re-run the job.',
      ],
      '8300': [
        'the owner of the resource has refused the authorisation',
        'Ask the owner of the image, or of the target project, to authorise the account that the keys belong to.',
      ],
      '8970': [
        'the image cannot be used across zones',
        'Leave zone empty, or create a custom image from a host in the zone where it is needed.',
      ],
    },
  ],
  // A fact that no repetition changes: there is nothing to read, or to delete.
  [
    { ...FINAL, blames: 'order', decisive: true },
    {
      '8956': [
        'there is no such image in this region and project, or it is not a custom image',
        'Check source-image-id, region and project-id: image ids belong to one region and one project, and only custom images can be copied.',
      ],
    },
  ],
  [
    { reads: 'final', copy: 'source-pending', blames: 'order' },
    {
      '8961': [
        'the source image is not Available',
        'Wait until the console shows it as Available; an Unavailable one must be created again.',
      ],
    },
  ],
  [
    { reads: 'final', copy: 'nothing-to-copy', blames: 'target' },
    {
      '8962': [
        "the target is the source's own project and region, so there is nothing to copy",
        'Set target-project-id or target-regions to another place than the source.',
      ],
    },
  ],
  [
    { ...UNSURE, blames: 'target' },
    {
      '8022': ['the API could not delete', LATER],
      '8024, 8825, 8861': ['the operation failed inside the API', LATER],
      '8025, 8031, 8041, 8826, 8828, 8829, 8857': [
        'the API could not read what it needed, or not in time',
        LATER,
      ],
      '8853, 8889': ['the API cannot read the list of images', LATER],
      '8874': ['the API cannot read the image', LATER],
      '8971': ['the API cannot read the progress of a copy', LATER],
    },
  ],
  [
    { reads: 'final', copy: 'ambiguous', blames: 'target' },
    {
      '8960': ['the API reports an error while it moves the image', LATER],
    },
  ],
];

export const RETURN_CODES: Readonly<Record<number, ReturnCode>> = Object.fromEntries(
  CLASSES.flatMap(([columns, rows]) =>
    Object.entries(rows).flatMap(([codes, [meaning, advice, ...instead]]) =>
      codes.split(', ').map((code) => [code, { ...columns, meaning, advice, instead }]),
    ),
  ),
);

/** A code that is not in the table: nothing is known, so a copy may have been created. */
export const UNKNOWN_CODE: ReturnCode = {
  reads: 'final',
  copy: 'ambiguous',
  blames: 'target',
  meaning: 'the API answered with a return code that this action does not know',
  advice: "Ask the vendor's support what this code means, with the request id; then re-run the job.",
};
