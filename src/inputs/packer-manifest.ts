import { oneLine } from '../text.ts';
import { readText } from './file.ts';
import type { Environment } from './reader.ts';
import { type PackerImage, packerId, type Spelled, shown } from './spelling.ts';

/** What the workflow says of the source itself; empty where it says nothing. */
interface Wanted {
  region: string;
  projectId: string;
}

const BUILD_AGAIN = "Let Packer's manifest post-processor write it, in the job that builds the image.";

/** The image of Packer's last run, from the file of its manifest post-processor; a relative path is in the workspace. */
export function readPackerManifest(path: string, env: Environment, wanted: Wanted): Spelled<PackerImage> {
  const text = readText(path, env, ', and the build must have run before');
  if (text.value === undefined) return text;
  const { value, mistake, notice } = imageOfManifest(text.value, wanted);
  if (!value) return { mistake: `${shown(path)} ${mistake}` };
  return { value, ...(notice ? { notice: `${shown(path)} ${notice}` } : {}) };
}

/** The newest build of `last_run_uuid` that made images of this API: artifact ids `project:region:id`, with commas. */
export function imageOfManifest(text: string, { region, projectId }: Wanted): Spelled<PackerImage> {
  let manifest: { builds?: unknown; last_run_uuid?: unknown } | null;
  try {
    manifest = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return { mistake: `is not JSON. ${BUILD_AGAIN}` };
  }
  const builds: unknown = manifest?.builds;
  if (!Array.isArray(builds)) return { mistake: `has no list "builds". ${BUILD_AGAIN}` };
  const last = manifest?.last_run_uuid;
  if (typeof last !== 'string' || last === '') return { mistake: `has no "last_run_uuid". ${BUILD_AGAIN}` };
  const ofRun = builds
    .filter((build) => build?.packer_run_uuid === last)
    .sort((a, b) => (Number(b.build_time) || 0) - (Number(a.build_time) || 0));
  if (ofRun.length === 0)
    return {
      mistake: `has no build of its last run ${shown(last)}. That run failed, or wrote another file.`,
    };
  const [images, ...others] = ofRun.map(imagesOf).filter((some) => some.length > 0);
  if (!images) {
    const ids = ofRun.map(({ artifact_id }) => shown(String(artifact_id ?? ''))).join(', ');
    return { mistake: `has no artifact of the form project:region:id in its last run, but ${ids}.` };
  }
  const fitting = images.filter(
    (image) =>
      (region === '' || image.region === region) && (projectId === '' || image.projectId === projectId),
  );
  const [image] = fitting;
  if (image && fitting.length === 1) {
    if (others.length === 0) return { value: image };
    const passed = others.flat().map(({ imageId }) => imageId);
    const notice = `has ${others.length + 1} builds in its last run: the action takes the newest, ${image.imageId}, and not ${oneLine(passed.join(', '), 300)}. To copy another, set source-image-id.`;
    return { value: image, notice };
  }
  const list = images.map((one) => `${one.projectId}:${one.region}:${one.imageId}`).join(', ');
  const asked = [region && `region ${shown(region)}`, projectId && `project-id ${shown(projectId)}`];
  return {
    mistake: image
      ? `has ${images.length} images: ${oneLine(list, 600)}. Set region to the one to copy from.`
      : `has no image in ${asked.filter(Boolean).join(', ')}, but ${oneLine(list, 600)}. Leave region and project-id out, or correct them.`,
  };
}

function imagesOf({ artifact_id }: { artifact_id?: unknown }): PackerImage[] {
  return String(artifact_id ?? '')
    .split(',')
    .flatMap((id) => packerId(id.trim()) ?? []);
}
