/** The API as the promotion sees it. Fields are spelled as the API spells them; any of them may be absent. */

export interface Image {
  ImageId: string;
  ImageName?: string;
  /** One of the four known ones is spelled as documented: Available, Making, Copying, Unavailable. */
  State?: string;
  ImageDescription?: string;
  OsType?: string;
  OsName?: string;
  ImageType?: string;
  /** GB. */
  ImageSize?: number;
  Features?: string[];
  /** Unix seconds. */
  CreateTime?: number;
  DataSnapshotIds?: string[];
  /** YYYY/MM/DD: the end of the operating system's life. */
  MaintainEol?: string;
}

export interface ImageQuery {
  Region: string;
  ProjectId?: string;
  ImageType?: 'Custom';
  /** One id is sent as ImageId, several as ImageIds.N; without any, every image is listed. */
  ImageIds?: string[];
}

export interface CopyRequest {
  Region: string;
  SourceImageId: string;
  TargetProjectId: string;
  Zone?: string;
  ProjectId?: string;
  TargetRegion?: string;
  TargetRegionList?: string[];
  TargetImageName?: string;
  TargetImageDescription?: string;
  TargetImageTag?: string;
  /** Undocumented parameters, sent as they are. */
  extra?: Record<string, string>;
}

export interface CopyInfo {
  TargetRegion?: string;
  TargetImageId?: string;
  TaskId?: string;
}

/** Empty strings arrive as absent fields. `Infos` is absent when the answer is not that to a batch. */
export interface CopyAnswer {
  TargetImageId?: string;
  TaskId?: string;
  Infos?: CopyInfo[];
  requestId?: string;
}

export interface Region {
  Region: string;
  RegionName?: string;
}

export interface Project {
  ProjectId: string;
  ProjectName?: string;
  IsDefault?: boolean;
}

export interface ProjectList {
  projects: Project[];
  /** False when there are more, or may be: that a project is not in the list says nothing then. */
  whole: boolean;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Milliseconds for which an answer that the table calls retryable is asked for again. 0 or absent: one attempt. */
  patience?: number;
  /**
   * A copy that is known is watched, looked for or deleted: an error that may pass (a code nobody knows, HTTP 403, a
   * page that is not the API's) is asked again like a retryable one. What is `decisive` is final all the same.
   */
  persist?: boolean;
}

export interface CopyOptions {
  signal?: AbortSignal;
  /** What still waits for its turn behind a throttle when this is aborted is not sent; what was sent goes on. */
  unsent?: AbortSignal;
}

/** Every method throws CloudError, or the reason of a signal that is aborted. */
export interface Cloud {
  /** All pages, each image once; a list that is not whole is a CloudError. A missing image is an empty list. */
  describeImages(query: ImageQuery, options?: CallOptions): Promise<Image[]>;
  /** One attempt, but for keys that the API refuses: it may have been executed even when it fails. */
  copyCustomImage(request: CopyRequest, options?: CopyOptions): Promise<CopyAnswer>;
  /** False when there is no such image: it is gone already, or so new that it is not listed yet. */
  terminateCustomImage(
    image: { Region: string; ProjectId?: string; ImageId: string },
    options?: CallOptions,
  ): Promise<boolean>;
  /** One entry a region: the API's rows are one a zone. */
  getRegions(options?: CallOptions): Promise<Region[]>;
  getProjects(options?: CallOptions): Promise<ProjectList>;
}
