import { spawn } from 'node:child_process'
import { childEnvironment } from '@petals-chat/engine'

/** Returns the platform's program that passes a URL to the browser. None of them is a shell: the URL is one argument. */
function browserCommand(platform: NodeJS.Platform, url: string): readonly [program: string, ...string[]] {
  switch (platform) {
    case 'darwin':
      return ['open', url]
    case 'win32':
      return ['rundll32.exe', 'url.dll,FileProtocolHandler', url]
    default:
      return ['xdg-open', url]
  }
}

/** Opens a page in the user's browser. Resolves to false if that fails (no desktop, no such program). */
export function openBrowser(url: string, platform: NodeJS.Platform = process.platform): Promise<boolean> {
  const [program, ...args] = browserCommand(platform, url)
  return new Promise((resolve) => {
    const env = childEnvironment(process.env, { usesNetwork: true })
    const child = spawn(program, args, { env, stdio: 'ignore', detached: true, windowsHide: true })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      // The browser outlives this process; waiting for it would keep the process alive.
      child.unref()
      resolve(true)
    })
  })
}
