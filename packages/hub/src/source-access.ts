import type { AbortOptions, ModelFiles } from '@petals-chat/engine'
import type { ModelSourceInfo, RemovedModel, ResolveOptions } from './model-store.types.ts'

/** Access to one source of any kind. */
export interface SourceAccess {
  /** Returns the path of the file that it means, if that is on this machine. Uses no network. */
  cachedFile(options: ResolveOptions): Promise<string | undefined>
  /** Returns the path of the file that it means; downloads it first if needed. @throws ModelSourceError */
  fetchFile(options: ResolveOptions): Promise<string>
  /** @throws ModelSourceError */
  openFiles(options: AbortOptions & Pick<ResolveOptions, 'refresh'>): Promise<ModelFiles>
  info(options: AbortOptions): Promise<ModelSourceInfo>
  /** Deletes the cached files; undefined if nothing is cached. @throws ModelSourceError if it is the user's own file */
  remove(): Promise<RemovedModel | undefined>
}
