import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestStore } from './test-store.ts'

/** Starts another process with the same caches that resolves one file and prints `progress <bytes>` and `path <path>`. */
export function startChild(
  { hub, cacheDir }: TestStore,
  source: string,
  nodeFlags: readonly string[] = [],
): ChildProcess {
  const index = fileURLToPath(new URL('../index.ts', import.meta.url))
  const engine = import.meta.resolve('@petals-chat/engine')
  const config = { endpoint: hub.url, cacheDir, tokenPath: `${cacheDir}/none` }
  const code = `
    const { createModelStore, hubConfigSchema } = await import(${JSON.stringify(index)})
    const { parseModelSource } = await import(${JSON.stringify(engine)})
    const store = createModelStore(hubConfigSchema.parse(${JSON.stringify(config)}))
    const onProgress = ({ done }) => console.log('progress', done)
    console.log('path', await store.resolveFile(parseModelSource(${JSON.stringify(source)}), { onProgress }))`
  const flags = ['--conditions=petals-chat-source', ...nodeFlags, '--input-type=module']
  return spawn(process.execPath, [...flags, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Returns all output of a child. */
export async function outputOf(child: ChildProcess): Promise<string> {
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(child, 'close')
  return output
}
