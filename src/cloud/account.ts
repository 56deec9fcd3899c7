import type { Client } from './client.ts';
import type { CallOptions, Project, ProjectList, Region } from './cloud.ts';
import { boolean, compact, id, number, records, text } from './parse.ts';

export async function getRegions(client: Client, options?: CallOptions): Promise<Region[]> {
  const { body } = await client.call('GetRegion', {}, options);
  const regions = new Map<string, Region>();
  for (const row of records(body.Regions) ?? []) {
    const region = id(row.Region);
    if (region === undefined) continue;
    const RegionName = regions.get(region)?.RegionName ?? text(row.RegionName);
    regions.set(region, compact<Region>({ Region: region, RegionName }));
  }
  return [...regions.values()];
}

/** Rows of the smallest page that an API endpoint gives by itself. */
const FULL_PAGE = 20;

export async function getProjects(client: Client, options?: CallOptions): Promise<ProjectList> {
  const { body } = await client.call('GetProjectList', {}, options);
  const rows = Array.isArray(body.ProjectSet) ? body.ProjectSet : [];
  const projects: Project[] = [];
  for (const row of records(rows) ?? []) {
    const project = id(row.ProjectId);
    if (project === undefined) continue;
    projects.push(
      compact<Project>({
        ProjectId: project,
        ProjectName: text(row.ProjectName),
        IsDefault: boolean(row.IsDefault),
      }),
    );
  }
  const count = Math.max(number(body.TotalCount) ?? 0, number(body.ProjectCount) ?? 0);
  // Without a count, a full page may be the first of several.
  const isFull = count === 0 && rows.length % FULL_PAGE === 0;
  return { projects, whole: projects.length > 0 && count <= rows.length && !isFull };
}
