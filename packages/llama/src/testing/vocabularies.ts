import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Vocabularies (without weights) from llama.cpp's own tests, one for each way to split words. */
export const llamaVocabularies = [
  'llama-spm',
  'phi-3',
  'baichuan',
  'llama-bpe',
  'gpt-2',
  'qwen2',
  'qwen35',
  'falcon',
  'starcoder',
  'command-r',
  'deepseek-llm',
  'deepseek-coder',
  'gemma-4',
] as const

const cache = fileURLToPath(new URL('../../../../.cache/llama-vocabularies', import.meta.url))
/** node-llama-cpp contains llama.cpp's source as a git bundle. */
const bundle = fileURLToPath(new URL('../llama/gitRelease.bundle', import.meta.resolve('node-llama-cpp')))
const run = promisify(execFile)

let unpacked: Promise<void> | undefined

/** Returns the path of a vocabulary's GGUF file. All are unpacked once. */
export async function vocabularyPath(name: (typeof llamaVocabularies)[number]): Promise<string> {
  await (unpacked ??= unpack())
  return path.join(cache, 'models', `ggml-vocab-${name}.gguf`)
}

async function unpack(): Promise<void> {
  if (await exists(cache)) return
  await mkdir(path.dirname(cache), { recursive: true })
  const folder = await mkdtemp(`${cache}-`)
  try {
    const clone = path.join(folder, 'clone')
    await run('git', ['clone', '--quiet', '--no-checkout', bundle, clone])
    await run('git', ['-C', clone, 'checkout', '--quiet', 'HEAD', '--', 'models'])
    const whole = path.join(folder, 'whole')
    await mkdir(whole)
    await rename(path.join(clone, 'models'), path.join(whole, 'models'))
    // Another test process may have unpacked them first.
    await rename(whole, cache).catch(async (error: unknown) => {
      if (!(await exists(cache))) throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const exists = (place: string): Promise<boolean> =>
  access(place).then(
    () => true,
    () => false,
  )
