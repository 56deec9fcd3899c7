/** Writes docs/errors.md from the catalogue in src/cloud/return-codes.ts: an anchor a code, as the messages name it. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { RETURN_CODES, type ReturnCode } from '../src/cloud/return-codes.ts';

export const PAGE = join(resolve(import.meta.dirname, '..'), 'docs/errors.md');

const HEAD = `# Errors

Every error says what failed (call, region, image), why, what to do now, and the request id that the vendor's support asks
for. The code in it is the heading here: \`RetCode 8095\` is at \`#retcode-8095\`. A code that is not here is shown with the
API's own message; the action never takes it for a success.

Re-run the job when the cause is gone: finished copies are kept, and copies under way are picked up. What a \`rollback\` has
deleted is copied again, and with \`if-exists: copy\` everything.

## Without a code

### The copy ended Unavailable

It cannot boot a machine. Delete it and re-run the job. If the next one ends so too, give the vendor its image id and task id.

### The copy does not match the source

Its operating system or size is another. Do not boot it: delete it and re-run the job. If it differs again, report both
image ids to the vendor.

### Still copying after the timeout, or after a cancel

The copy continues in the cloud. Re-run the job: it picks the copy up. A longer \`timeout\` avoids it.

### Never listed

The API answered with an image id that no list has shown. Look for it in the console before the re-run; give the task id to
the vendor if it does not appear.

### No connection, no answer, or a page that is not the API's

Check \`api-url\`, the proxy variables and \`NO_PROXY\`. A proxy that opens TLS needs \`NODE_EXTRA_CA_CERTS\`.

### HTTP 4xx and 5xx

A gateway or a proxy answered. \`429\` and \`5xx\` pass: the action repeats them, and never sends a copy again before it has
looked for one. Another \`4xx\` points at \`api-url\` or at a proxy.

## Return codes
`;

const PARAMETERS = { ProjectId: 'project-id', SecurityToken: 'security-token' };
const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;

export function errorsPage(): string {
  const say = ({ meaning, advice }: Pick<ReturnCode, 'meaning' | 'advice'>) =>
    `${sentence(meaning)}\n**What to do:** ${advice.replaceAll('this call', 'the call that the error names')}`;
  const codes = Object.entries(RETURN_CODES).map(([code, entry]) => {
    const others = (entry.instead ?? []).flatMap((words) => {
      // The advice of the entry says the same of the input that an error names.
      if ('named' in words) return [];
      const when = 'call' in words ? `Of \`${words.call}\`` : `Without \`${PARAMETERS[words.without]}\``;
      return `${when}: ${say(words)}`;
    });
    return [`### RetCode ${code}`, say(entry), ...others].join('\n\n');
  });
  return `${[HEAD, ...codes].join('\n')}\n`
    .replaceAll(/\n(?=### RetCode)/g, '\n\n')
    .replaceAll(/\n{3,}/g, '\n\n');
}

if (import.meta.main) writeFileSync(PAGE, errorsPage());
