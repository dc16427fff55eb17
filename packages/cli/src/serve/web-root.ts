import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the built chat page, or undefined if it is not built. */
export function findWebRoot(): string | undefined {
  const manifest = fileURLToPath(import.meta.resolve('@petals-chat/web/package.json'))
  const folder = path.join(path.dirname(manifest), 'dist')
  return existsSync(path.join(folder, 'index.html')) ? folder : undefined
}
