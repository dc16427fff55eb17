import { open, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { ModelUnavailableError, type ModelFiles } from '../../packages/engine/src/index.ts'

/** A model's files in a local folder, read with nothing but Node: for tests of what stands above the hub package. */
export function folderFiles(folder: string): ModelFiles {
  const place = (name: string): string => path.join(folder, name)
  return {
    description: folder,
    list: () => readdir(folder),
    path: async (name) => place(name),
    text: (name) => readFile(place(name), 'utf8').catch(() => undefined),
    textPath: (name) =>
      stat(place(name)).then(
        () => place(name),
        () => undefined,
      ),
    size: async (name) => (await stat(place(name))).size,
    async range(name, start, end) {
      const file = await open(place(name))
      try {
        const bytes = new Uint8Array(end - start)
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
        if (bytesRead < bytes.length) throw new ModelUnavailableError(`${name} ends before byte ${end}.`)
        return bytes
      } finally {
        await file.close()
      }
    },
    rangeFile: async (name, start) => ({ path: place(name), offset: start }),
  }
}
