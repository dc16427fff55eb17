import { expect, it, vi } from 'vitest'
import { defaultModelPath } from '../../../tests/support/model.ts'
import { loadConfig } from './config/load.ts'
import { createRuntime } from './runtime.ts'
import { recordingTerminal } from './testing/recording-terminal.ts'
import { temporaryFolder } from './testing/temporary-folder.ts'

it('unloads a model after `unloadAfterMs` without use, and loads it again for the next request', async () => {
  await using folder = await temporaryFolder()
  const models = [{ id: 'a', engine: 'llama', source: await defaultModelPath() }]
  const llama = { threads: 1, contextLength: 256 }
  await folder.write('petals-chat.yaml', JSON.stringify({ unloadAfterMs: 1000, models, llama }))
  const loaded = await loadConfig({ workingDirectory: folder.path, environment: {}, flags: {} })
  const { terminal } = recordingTerminal()
  await using runtime = await createRuntime(loaded, { terminal, quiet: true })
  const { registry } = runtime
  await registry.get('a')
  expect(registry.peek('a')).toBeDefined()
  await vi.waitFor(() => expect(registry.peek('a')).toBeUndefined(), { timeout: 20_000 })
  expect(await registry.state('a')).toEqual({ state: 'idle' })
  expect((await registry.get('a')).id).toBe('a')
})
