import type { Order } from '../promotion/model.ts';
import { isSameName } from '../promotion/verify.ts';
import type { ImagesFile, VerifyOrder } from '../verify/verify.ts';
import { type Connection, readConnection, readMarkSecret } from './connection.ts';
import { readText } from './file.ts';
import { imagesOfFile } from './images-file.ts';
import { readOutputFile } from './output-path.ts';
import { readOptional, readSource } from './promote.ts';
import { type Environment, Reader, type Reading } from './reader.ts';
import { type Spelled, shown } from './spelling.ts';

/** The inputs of verify/action.yml. */
export interface VerifyInputs {
  connection: Connection;
  order: VerifyOrder;
  summary: boolean;
  outputFile?: string;
}

const SOURCES = ['source-image-id', 'source-image-name', 'packer-manifest'];

/** Reads every input and tells all mistakes at once. Sends nothing, prints nothing. */
export function readVerifyInputs(env: Environment): Reading & { inputs?: VerifyInputs } {
  const reader = new Reader(env);
  const connection = readConnection(reader);
  const path = reader.text('images-file');
  const source = readSource(reader, { needed: path === '', hasZone: false });
  const remedy = (text: string) => (path === '' ? text : undefined);
  const project = remedy('Give the project to look in, for example org-abc123.');
  const projectId = reader.word('target-project-id', null, project);
  const required = reader.regions(
    'target-regions',
    remedy('Give the regions to look in, one per line or with commas.'),
  );
  const optional = readOptional(reader, required);
  const name = reader.imageName('target-image-name');
  const markSecret = readMarkSecret(reader);
  const timeout = reader.duration('timeout', 600_000);
  const summary = reader.boolean('summary', true);
  const outputFile = readOutputFile(reader);
  let file: ImagesFile | null = null;
  if (path !== '') {
    const given = SOURCES.filter((input) => reader.has(input));
    for (const input of given) reader.mistake('images-file', `Set images-file or ${input}, not both.`);
    const read = readImagesFile(path, env);
    if (read.mistake === undefined)
      file = withTargets(read.value, { regions: [...required, ...optional], projectId, name }, reader);
    else reader.mistake('images-file', read.mistake);
  }
  const reading = reader.reading();
  if (reading.mistakes.length > 0) return reading;
  const promotion: Order = {
    source,
    target: {
      projectId,
      regions: required.filter((region) => !optional.includes(region)),
      ...(optional.length > 0 ? { optionalRegions: optional } : {}),
      ...(name ? { name } : {}),
    },
    ...(markSecret ? { markSecret } : {}),
    extraParameters: {},
    ifExists: 'adopt',
    wait: false,
    timeout,
    dryRun: true,
    run: 'verify',
  };
  const order = { promotion, file };
  return { ...reading, inputs: { connection, order, summary, ...(outputFile ? { outputFile } : {}) } };
}

function readImagesFile(path: string, env: Environment): Spelled<ImagesFile> {
  const text = readText(path, env);
  if (text.value === undefined) return text;
  const { value, mistake } = imagesOfFile(text.value);
  return value ? { value } : { mistake: `${shown(path)} ${mistake}` };
}

/** Regions that were asked for and that the file does not name are missing. */
function withTargets(
  file: ImagesFile,
  { regions, projectId, name }: { regions: string[]; projectId: string; name: string },
  reader: Reader,
): ImagesFile {
  const other = file.images.find((image) => projectId !== '' && image.projectId !== projectId);
  if (other) {
    const names = `names project ${other.projectId} for ${other.region}, but target-project-id is ${projectId}.`;
    reader.mistake('images-file', names);
  }
  const called = file.images.find(
    (image) => name !== '' && image.name !== null && !isSameName(image.name, name),
  );
  if (called) {
    const names = `names ${shown(called.name ?? '')} for ${called.region}, but target-image-name is ${name}.`;
    reader.mistake('images-file', names);
  }
  const twice = file.images.find(({ region }, at) =>
    file.images.some((image, other) => other < at && image.region === region),
  );
  if (twice) reader.mistake('images-file', `names ${twice.region} twice. Verify one promotion at a time.`);
  const absent = regions.filter((region) => !file.images.some((image) => image.region === region));
  const project = projectId || (file.images[0]?.projectId ?? '');
  const missing = absent.map((region) => ({ region, projectId: project, imageId: null, name: null }));
  return { ...file, images: [...file.images, ...missing] };
}
