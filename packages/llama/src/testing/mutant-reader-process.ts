/**
 * The process of a `MutantReader`: it loads one model file after another with llama.cpp and computes a few tokens of each. Hundreds of mutants of
 * a file share its start, which takes longer than a load.
 */
import process from 'node:process'
import { calibrate } from '../child/calibrate.ts'
import { loadModel, openLibrary } from '../child/load-model.ts'
import { openNative } from '../child/native.ts'
import { llamaConfigSchema } from '../config.ts'
import type { LoadCommand } from '../protocol.ts'

const config = llamaConfigSchema.parse({ gpu: 'off', sequences: 1, contextLength: 64, threads: 1 })
const library = openLibrary({ type: 'prepare', config, cores: 1 }, () => {})

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', (command: LoadCommand) => {
  void load(command).then(
    () => process.send?.({ outcome: 'runs' }),
    (error: unknown) => process.send?.({ outcome: 'refused', text: String(error) }),
  )
})

async function load(command: LoadCommand): Promise<void> {
  const opened = await library
  const { model, context } = await loadModel(opened, command, () => {})
  try {
    const native = openNative(opened.llama, model, context)
    await calibrate({
      context: native.context,
      token: model.tokens.bos ?? 0,
      cores: 1,
      threads: 1,
      onCpu: true,
      earlier: undefined,
    })
    model.tokenize('Hello', true)
  } finally {
    await context.dispose()
    await model.dispose()
  }
}
