import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

const source = fileURLToPath(new URL('service-worker.js', import.meta.url))

/** The files that the page needs to open; fonts of formulas are stored on first use. */
const needed = /\.(?:js|css)$/

/**
 * Writes `sw.js`, which stores the build's files for times without a server. Files of `public/` are listed in
 * `publicFiles`, because Vite copies them without notifying plugins.
 */
export function serviceWorker(publicFiles: readonly string[]): Plugin {
  return {
    name: 'petals-chat-service-worker',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const built = Object.keys(bundle).filter((name) => needed.test(name))
      // Relative to the worker, which lies beside the page.
      const files = ['./', ...publicFiles, ...built].toSorted()
      const code = readFileSync(source, 'utf8')
      // Old and new workers use separate caches.
      const version = createHash('sha256')
        .update(JSON.stringify(files))
        .update(code)
        .digest('hex')
        .slice(0, 12)
      this.emitFile({
        type: 'asset',
        fileName: 'sw.js',
        source: code
          .replace('__VERSION__', () => version)
          .replace("['__FILES__']", () => JSON.stringify(files)),
      })
    },
  }
}
