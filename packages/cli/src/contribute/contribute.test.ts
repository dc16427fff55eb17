import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, open, rmdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { freeDiskBytes, readBlockModel } from '@petals-chat/contribute'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { reportFailure } from '../failure.ts'
import { runProgram } from '../program.ts'
import { blankLlama } from '../testing/blank-llama.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { findContributedModel, prefixOf } from './contributed-model.ts'
import { contributeExamples } from './help.ts'
import { choosePort, requireDisk } from './place.ts'

const modelFiles = blankLlama(32)

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
  execFileSync('mkdir', [path.join(folder.path, 'my-model')])
  await folder.write('my-model/config.json', modelFiles['config.json'])
  await writeFile(path.join(folder.path, 'my-model', 'model.safetensors'), modelFiles['model.safetensors'])
  await folder.write('model.gguf', 'GGUF')
})
afterAll(() => folder[Symbol.asyncDispose]())

async function contribute(
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { terminal, stdout, stderr } = recordingTerminal({ columns: 200 })
  const inherited = Object.entries(process.env).filter(([name]) => !/^(HF_|PETALS_)/.test(name))
  const environment = { ...Object.fromEntries(inherited), XDG_CACHE_HOME: path.join(folder.path, 'cache') }
  const code = await runProgram(['contribute', ...args], {
    terminal,
    environment,
    workingDirectory: folder.path,
  }).catch((error: unknown) => reportFailure(error, terminal, { withStack: false }))
  return { code, stdout: stdout(), stderr: stderr() }
}

const page = readFileSync(new URL('../../../../docs/contribute.md', import.meta.url), 'utf8')
const examples = `${contributeExamples}\n${page}`
  .split('\n')
  .filter((line) => /^( {2}petals-chat|npm start --) contribute /.test(line))

describe('petals-chat contribute', () => {
  it.each(examples)('accepts the example %j of its help and page', async (example) => {
    // Uses a local folder as the model, so that nothing is downloaded, and a free port.
    const line = example
      .replace('--port 31337', `--port ${await choosePort(0)}`)
      .replace('petals-team/StableBeluga2', './my-model')
      .replace(/^.*? contribute /, '')
    const words = execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${line}`])
      .toString()
      .trimEnd()
      .split('\n')
    const python = words.includes('python')
    const dryRun = words.includes('--dry-run') ? words : [...words, '--dry-run']
    const { code, stdout, stderr } = await contribute([...dryRun, '--device', 'cpu'])
    expect(stderr).not.toMatch(/petals-chat:/)
    expect(code).toBe(0)
    expect(stdout).toMatch(/Model +\.\/my-model: 32 blocks \(llama\)/)
    expect(stdout).toMatch(python ? /petals_server\.py .*my-model/ : /Engine +native/)
    for (const word of words.filter((each) => /^\/ip4/.test(each))) expect(stdout).toContain(word)
    for (const word of words.filter((each) => /^\d+:\d+$/.test(each)))
      expect(stdout).toMatch(
        new RegExp(`Blocks +${word.split(':')[0]} to ${Number(word.split(':')[1]) - 1};`),
      )
  })

  it('shows only the flags that apply to it', async () => {
    const { stdout } = await contribute(['--help'])
    expect(stdout).toMatch(/--port <number> +TCP port to listen on; default: 31337/)
    expect(stdout).not.toMatch(/--open|--gpu|PETALS_CHAT_PORT/)
    expect(stdout).toMatch(/--config <file>/)
  })

  it.each([
    [['nonsense'], 2, /no folder and no configured model 'nonsense'.*owner\/repo/],
    [['./model.gguf', '--engine', 'python'], 2, /A GGUF file needs the native engine/],
    [['./model.gguf'], 1, /model\.gguf of .* can't be used/],
    [['./my-model', '--blocks', '0:33'], 1, /has the blocks 0 to 31/],
    [['./my-model', '--memory', '65MB'], 1, /need \d+ MiB of memory, and \d+ MiB may be used\. Serve fewer/],
    [['./my-model', '--device', 'tpu'], 2, /--device: 'tpu' .* metal or vulkan/],
    [['./my-model', '--engine', 'native', '--adapters', 'org/lora'], 2, /--engine native .* org\/lora/],
    [['./my-model', '--blocks', 'all'], 2, /--blocks: 'all' is not allowed/],
    [['./my-model', '--swarm', '10.1.2.3:1'], 2, /must be a multiaddr/],
    [['./my-model', '--environment', '.', '--swarm', 'new'], 1, /The Python environment .* can't be used/],
    [['org/not-here', '--offline'], 1, /org\/not-here/],
  ])('refuses %j in words', async (args, expected, words) => {
    const device = args.includes('--device') ? [] : ['--device', 'cpu']
    const { code, stdout, stderr } = await contribute([...args, '--dry-run', ...device])
    expect(stderr).toMatch(words)
    expect(stderr).not.toMatch(/\n\s+at |should not/)
    expect([code, stdout]).toEqual([expected, ''])
  })

  it('plans the memory before it loads anything', async () => {
    const { stdout } = await contribute([
      './my-model',
      '--dry-run',
      '--memory',
      '500MB',
      '--quantization',
      'q8_0',
    ])
    expect(stdout).toMatch(/Blocks +0 to 31; [\d.]+ MB of the 500 MB of memory that may be used/)
    expect(stdout).toMatch(/Weights +2\.6 MB of the files, kept as q8_0/)
    const less = await contribute(['./my-model', '--dry-run', '--memory', '120MB', '--device', 'cpu'])
    expect(less.stdout).toMatch(/Blocks +\d+ of 32, those that the swarm needs most; [\d.]+ MB of the 120 MB/)
  })

  it('says why Python serves the blocks, where it must', async () => {
    const { stdout, stderr } = await contribute([
      './my-model',
      '--adapters',
      'org/lora',
      '--dry-run',
      '--device',
      'cpu',
    ])
    expect(stderr).toMatch(/A Python server serves the blocks\. The LoRA adapter org\/lora needs Python/)
    expect(stdout).toMatch(/Engine +python/)
  })

  it('reports that the port is in use', async () => {
    await using server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const args = ['./my-model', '--swarm', 'new', '--host', '127.0.0.1', '--port', String(port), '--dry-run']
    const { code, stderr } = await contribute(args)
    expect(stderr).toMatch(`Port ${port} of 127.0.0.1 can't be used: another program has it`)
    expect(code).toBe(1)
  })
})

it('counts the blocks that Petals has already downloaded as free disk space, because it replaces them if needed', async () => {
  const blocks = path.join(folder.path, 'petals')
  const missing = 1e12
  const parametersPerBlock = (await freeDiskBytes(folder.path))! + missing
  const need = {
    blockModel: { parametersPerBlock, fileBytesPerWeight: 1 },
    server: { blockCount: 1 },
    folders: { blocks },
  }
  await expect(requireDisk('org/llama', need)).rejects.toThrow(/1 blocks? of org\/llama take .* are free at/)
  await mkdir(path.join(blocks, 'models--org--llama', 'blobs'), { recursive: true })
  // A sparse file: it has a size, and takes no space.
  await using blob = await open(path.join(blocks, 'models--org--llama', 'blobs', 'sum'), 'w')
  await blob.truncate(2 * missing)
  await requireDisk('org/llama', need)
})

describe('findContributedModel', () => {
  const find = async (text: string) => {
    const models = [
      { id: 'Beluga', aliases: ['big'], engine: 'petals', source: 'hf:petals-team/StableBeluga2@v1' },
      { id: 'mine', engine: 'petals', source: './gone || ./my-model', dhtPrefix: 'my-prefix' },
    ]
    await folder.write('petals-chat.yaml', JSON.stringify({ models }))
    const loaded = await loadConfig({ workingDirectory: folder.path, environment: {}, flags: {} })
    return findContributedModel(text, loaded, folder.path)
  }

  it('accepts a repository, a folder, and the source of a configured model', async () => {
    expect(await find('org/llama')).toMatchObject({
      model: 'org/llama',
      isLocal: false,
      source: { type: 'hub', repo: 'org/llama' },
    })
    expect(await find('hf:org/llama@v2')).toMatchObject({ model: 'org/llama', revision: 'v2' })
    expect(await find('my-model')).toMatchObject({ model: path.join(folder.path, 'my-model'), isLocal: true })
    for (const name of ['Beluga', 'big'])
      expect(await find(name)).toMatchObject({ model: 'petals-team/StableBeluga2', revision: 'v1' })
    expect(await find('mine')).toMatchObject({ isLocal: true, spec: { dhtPrefix: 'my-prefix' } })
  })

  it('knows the default model by its name, and a repository by its whole name', async () => {
    expect(await find('SmolLM2-135M-Instruct')).toMatchObject({ isGguf: true })
    expect(await find('HuggingFaceTB/SmolLM2-135M-Instruct')).toMatchObject({
      isGguf: false,
      source: { type: 'hub', repo: 'HuggingFaceTB/SmolLM2-135M-Instruct' },
    })
  })

  it('takes a folder with the name of the default model', async () => {
    const place = path.join(folder.path, 'SmolLM2-135M-Instruct')
    await mkdir(place)
    try {
      expect(await find('SmolLM2-135M-Instruct')).toMatchObject({
        model: place,
        isLocal: true,
        isGguf: false,
      })
    } finally {
      await rmdir(place)
    }
  })

  it('names a model of a folder in the swarm as Petals names a repository', async () => {
    const llama = readBlockModel(modelFiles['config.json'], 'x')
    const local = await find('my-model')
    expect(prefixOf(local, llama, undefined)).toBe('my-model-hf')
    expect(prefixOf({ ...local, model: '/a/Llama-2.7b chat-hf' }, llama, undefined)).toBe(
      'Llama-2-7b-chat-hf',
    )
    expect(prefixOf(local, { modelType: 'falcon' }, undefined)).toBe('my-model')
    expect(prefixOf(local, llama, 'asked')).toBe('asked')
    expect(prefixOf(await find('mine'), llama, undefined)).toBe('my-prefix')
    expect(prefixOf(await find('org/llama'), llama, undefined)).toBeUndefined()
  })
})
