import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
  write(name: string, text: string | Uint8Array): Promise<string>
}

/** Creates an empty folder that is deleted at the end of the test. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-cli-'))
  return {
    path: folder,
    async write(name, text) {
      const file = path.join(folder, name)
      await writeFile(file, text)
      return file
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
