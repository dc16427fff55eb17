import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const workspaceManifest = fileURLToPath(new URL('../../../package.json', import.meta.url))

/** Returns how a shell starts this command: through npm in a clone of the repository, else through npx. */
export function launcher(manifest: string = workspaceManifest): string {
  try {
    const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly name?: unknown }
    return name === 'petals-chat-workspace' ? 'npm start --' : 'npx petals-chat'
  } catch {
    return 'npx petals-chat'
  }
}
