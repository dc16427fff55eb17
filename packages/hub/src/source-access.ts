import type { AbortOptions, ModelFiles } from '@petals-chat/engine'
import type { ModelSourceInfo, RemovedModel, ResolveOptions } from './model-store.types.ts'

/** One source, opened: what the store does with it, whatever its kind. */
export interface SourceAccess {
  /** The path of the one file it means, if it is on this machine already. Makes no network request. */
  cachedFile(options: ResolveOptions): Promise<string | undefined>
  /** The same, fetched if need be. @throws ModelSourceError */
  fetchFile(options: ResolveOptions): Promise<string>
  /** @throws ModelSourceError */
  openFiles(options: AbortOptions & Pick<ResolveOptions, 'refresh'>): Promise<ModelFiles>
  info(options: AbortOptions): Promise<ModelSourceInfo>
  /** Undefined if nothing is cached. @throws ModelSourceError if it is not the store's to delete */
  remove(): Promise<RemovedModel | undefined>
}
