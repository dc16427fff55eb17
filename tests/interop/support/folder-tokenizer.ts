import { readArchitecture } from '../../../packages/petals/src/layers/architecture.ts'
import { openTokenizer, type ModelTokenizer } from '../../../packages/petals/src/layers/tokenizer.ts'
import { folderFiles } from '../../support/folder-files.ts'

/** Opens the tokenizer of a model in a folder, as the swarm engine does. */
export async function openFolderTokenizer(folder: string): Promise<ModelTokenizer> {
  const files = folderFiles(folder)
  return await openTokenizer(files, await readArchitecture(files), undefined)
}
