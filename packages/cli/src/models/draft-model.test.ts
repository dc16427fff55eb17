import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { loadConfig } from '../config/load.ts'
import { runProgram } from '../program.ts'
import { createStore } from '../runtime.ts'
import { blankLlama } from '../testing/blank-llama.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { memoryNeed } from './memory-need.ts'

it('a draft model is part of the memory that its model needs, of its description and of the configuration', async () => {
  await using folder = await temporaryFolder()
  await mkdir(path.join(folder.path, 'large'))
  await writeFile(path.join(folder.path, 'large', 'config.json'), blankLlama(1)['config.json'])
  const draft = await defaultModelPath()
  const plain = { id: 'plain', engine: 'petals', source: './large', dhtPrefix: 'large' }
  const drafted = { ...plain, id: 'drafted', speculation: { draft } }
  await folder.write('petals-chat.yaml', JSON.stringify({ models: [plain, drafted] }))
  const context = { workingDirectory: folder.path, environment: {}, flags: {} }
  const loaded = await loadConfig(context)
  const store = createStore(loaded)
  const [alone, withDraft] = await Promise.all(loaded.config.models.map((spec) => memoryNeed(spec, store)))
  // The file has 98 MB.
  expect(withDraft!.bytes - alone!.bytes).toBeGreaterThan(90e6)

  const run = async (...args: readonly string[]) => {
    const { terminal, stdout } = recordingTerminal()
    await runProgram(args, { terminal, environment: {}, workingDirectory: folder.path })
    return stdout()
  }
  expect(await run('models', 'info', 'drafted')).toMatch(/Draft model +\S+\.gguf, about \d+ MB of memory/)
  expect(await run('models', 'info', 'plain')).not.toContain('Draft model')
  expect(await run('config', 'print')).toContain(`draft: ${draft}`)
})
