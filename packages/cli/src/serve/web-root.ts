import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the built chat page, or undefined if it is not built. */
export function findWebRoot(): string | undefined {
  const folder = fileURLToPath(new URL('dist/', import.meta.resolve('@petals-chat/web/package.json')))
  return existsSync(new URL(`file://${folder}index.html`)) ? folder : undefined
}
