import type { Client } from './client.ts';
import type { CallOptions, Project, Region } from './cloud.ts';
import { boolean, compact, records, text } from './parse.ts';

export async function getRegions(client: Client, options?: CallOptions): Promise<Region[]> {
  const { body } = await client.call('GetRegion', {}, options);
  const regions = new Map<string, Region>();
  for (const row of records(body.Regions) ?? []) {
    const id = text(row.Region);
    if (id === undefined) continue;
    const RegionName = regions.get(id)?.RegionName ?? text(row.RegionName);
    regions.set(id, compact<Region>({ Region: id, RegionName }));
  }
  return [...regions.values()];
}

export async function getProjects(client: Client, options?: CallOptions): Promise<Project[]> {
  const { body } = await client.call('GetProjectList', {}, options);
  const projects: Project[] = [];
  for (const row of records(body.ProjectSet) ?? []) {
    const id = text(row.ProjectId);
    if (id === undefined) continue;
    projects.push(
      compact<Project>({
        ProjectId: id,
        ProjectName: text(row.ProjectName),
        IsDefault: boolean(row.IsDefault),
      }),
    );
  }
  return projects;
}
