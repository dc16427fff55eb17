import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { createJinjaChatTemplate } from '../../../packages/engine/src/chat/jinja-chat-template.ts'
import { storedZip } from '../../../packages/hub/src/testing/stored-zip.ts'
import { tinyModel, writeGguf, type TinyGguf } from '../../../packages/llama/src/testing/tiny-gguf.ts'
import { readPytorchFile } from '../../../packages/petals/src/layers/pytorch/pytorch-file.ts'
import { startPetalsChat, type PetalsChat } from '../../e2e/support/petals-chat.ts'
import { writeToySwarmModel } from '../../e2e/support/toy-swarm-model.ts'
import { folderFiles } from '../../support/folder-files.ts'
import { testsOf } from '../support/incident.ts'
import { modelIncidents } from './models.incidents.ts'

const incident = testsOf(modelIncidents)

const changed = (changes: Partial<TinyGguf>, metadata: TinyGguf['metadata'] = {}): Buffer =>
  writeGguf({ ...tinyModel, ...changes, metadata: { ...tinyModel.metadata, ...metadata } })

/** Replaces a length in the bytes of a file by another one. */
function withLength(file: Buffer, before: string, length: bigint): Buffer {
  const bytes = Buffer.from(file)
  bytes.writeBigUInt64LE(length, bytes.indexOf(before) - 8)
  return bytes
}

const tensor = (shape: readonly number[], offset = 0): Partial<TinyGguf> => ({
  tensors: [{ name: 'token_embd.weight', shape, type: 0, offset }],
})
const valid = writeGguf(tinyModel)
/** The number of tensors, and of pairs, is at bytes 8 and 16. */
const withCount = (position: number, count: bigint): Buffer => {
  const bytes = Buffer.from(valid)
  bytes.writeBigUInt64LE(count, position)
  return bytes
}

const files: Readonly<Record<string, Buffer>> = {
  magic: Buffer.from('GGUF'),
  version: Buffer.from('GGUF\x03\0\0\0'),
  longText: withLength(valid, 'Tiny', 2n ** 40n),
  manyPairs: withCount(16, 2n ** 60n),
  manyTensors: withCount(8, 2n ** 61n + 1n),
  noHeads: changed({}, { 'llama.attention.head_count': 0 }),
  noLayers: changed({}, { 'llama.block_count': 0 }),
  noContext: changed({}, { 'llama.context_length': 0, 'llama.embedding_length': 0 }),
  product: changed(tensor([2 ** 31, 2 ** 31, 4])),
  wrapping: changed(tensor([2 ** 52, 1024, 4])),
  beyond: changed(tensor([32, 4], 2 ** 40)),
  sum: changed(tensor([32, 4], Number.MAX_SAFE_INTEGER - 31)),
  piece: withLength(valid, '<|endoftext|>', 2n ** 31n + 1n),
  pieces: withLength(valid, 'ab', 2n ** 63n),
}

let folder: string
let server: PetalsChat
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-hostile-'))
  const args = ['--preload', 'none', '--log-level', 'error']
  for (const [name, bytes] of Object.entries(files)) {
    await writeFile(path.join(folder, `${name}.gguf`), bytes)
    args.push('--model', `${name}=${path.join(folder, `${name}.gguf`)}`)
  }
  server = await startPetalsChat({ args, untilReady: false, env: { PETALS_CHAT_OFFLINE: '1' } })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Asks for an answer of each model, which is refused in words without a path; the server goes on. */
async function expectUnusable(...names: readonly (keyof typeof files & string)[]): Promise<void> {
  for (const model of names) {
    const body = JSON.stringify({ model, prompt: 'a', max_tokens: 1 })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${server.url}/v1/completions`, { method: 'POST', headers, body })
    const text = await response.text()
    expect([model, response.status, text]).toEqual([model, 503, expect.stringContaining('model_unavailable')])
    expect(text).not.toContain(folder)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  }
}

describe('GGUF files', () => {
  incident('CVE-2024-39720', () => expectUnusable('magic', 'version'))
  incident('CVE-2025-0315', () => expectUnusable('longText', 'manyPairs'))
  incident('CVE-2025-0317', () => expectUnusable('noHeads', 'noLayers', 'noContext'))
  incident('CVE-2025-53630', () => expectUnusable('product', 'wrapping'))
  incident('CVE-2026-27940', () => expectUnusable('manyTensors', 'beyond', 'sum'))
  incident('CVE-2025-49847', () => expectUnusable('piece', 'pieces'))
})

/** What a template writes for one message; undefined if it is refused. */
function written(template: string): string | undefined {
  try {
    const chat = createJinjaChatTemplate({ template, bosText: '<s>', eosText: '</s>' })
    return chat.render([{ role: 'user', content: 'Hi' }], { addGenerationPrompt: false })
  } catch {
    return undefined
  }
}

describe('templates', () => {
  const touched = () => path.join(folder, 'touched')

  incident('CVE-2024-34359', async () => {
    for (const path of [
      "''.__class__.__mro__[1].__subclasses__()",
      'cycler.__init__.__globals__.os.popen("touch TOUCHED").read()',
      'lipsum.__globals__["os"].system("touch TOUCHED")',
      'self.__init__.__globals__.__builtins__.__import__("os").system("touch TOUCHED")',
      'request.application.__globals__',
    ]) {
      const text = written(`{{ ${path.replace('TOUCHED', touched())} }}|{{ messages[0].content }}`)
      expect(text ?? '', path).not.toMatch(/class|module|function|object/)
    }
    expect(existsSync(touched())).toBe(false)
  })

  incident('CVE-2026-5760', async () => {
    for (const expression of [
      'messages.constructor.constructor("return process")()',
      "''.constructor.constructor('return process')().exit(1)",
      'messages[0].__proto__',
      'messages.__proto__.polluted',
      'namespace.constructor',
      'range.constructor("return 7")()',
      '[].map.constructor("return process.pid")()',
      'strftime_now.constructor',
      'raise_exception.constructor',
    ]) {
      const text = written(`{{ ${expression} }}`) ?? ''
      expect(text, expression).not.toMatch(/native|function|process|\d{2,}|\[object/)
    }
    expect(written('{% set x = namespace() %}{% set x.__proto__ = 1 %}{{ x.a }}') ?? '').not.toMatch(/1/)
    expect(Object.keys(Object.prototype)).toEqual([])
  })
})

describe('folders of models', () => {
  incident('CVE-2025-66448', async () => {
    const model = await writeToySwarmModel(path.join(folder, 'mapped'))
    const touched = path.join(folder, 'ran')
    const auto_map = {
      AutoModel: 'evil--modeling.Evil',
      AutoConfig: 'configuration.Evil',
      AutoTokenizer: 'tok.Evil',
    }
    const config = {
      model_type: 'llama',
      auto_map,
      vocab_size: 16_000,
      hidden_size: 256,
      num_hidden_layers: 4,
      num_attention_heads: 4,
    }
    await writeFile(path.join(model, 'config.json'), JSON.stringify({ ...config, rms_norm_eps: 1e-5 }))
    for (const name of ['modeling.py', 'configuration.py', 'tok.py', 'index.js', 'index.mjs', 'setup.py'])
      await writeFile(path.join(model, name), `import os\nos.system("touch ${touched}")\n`)
    await mkdir(path.join(model, 'node_modules'), { recursive: true })
    const args = [
      '--model',
      `toy=${model}`,
      '--swarm',
      '/ip4/127.0.0.1/tcp/1/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY',
    ]
    await using swarm = await startPetalsChat({
      args: [...args, '--preload', 'none', '--log-level', 'error'],
      untilReady: false,
    })
    const response = await fetch(`${swarm.url}/v1/models`)
    expect(response.status).toBe(200)
    const body = JSON.stringify({ model: 'toy', prompt: 'a' })
    const tokens = await fetch(`${swarm.url}/v1/tokenize`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    expect(tokens.status).toBeOneOf([200, 503])
    expect(existsSync(touched)).toBe(false)
  })

  incident('CVE-2025-32434', async () => {
    const touched = path.join(folder, 'unpickled')
    const command = `touch ${touched}`
    const calls = [
      `cposix\nsystem\n(S'${command}'\ntR.`,
      `\x80\x02cos\nsystem\nX${String.fromCharCode(command.length)}\0\0\0${command}\x85R.`,
      `\x80\x02c__builtin__\neval\nX${String.fromCharCode(4)}\0\0\x001+1\n\x85R.`,
      `(S'${command}'\nios\nsystem\n.`,
    ]
    for (const [index, pickle] of calls.entries()) {
      const name = `${index}.bin`
      await writeFile(path.join(folder, name), storedZip('archive/data.pkl', Buffer.from(pickle, 'latin1')))
      await expect(readPytorchFile(folderFiles(folder), name, {})).rejects.toThrow(/can't be used/)
    }
    expect(existsSync(touched)).toBe(false)
  })
})
