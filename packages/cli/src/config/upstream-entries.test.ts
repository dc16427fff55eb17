import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { temporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { loadConfig } from './load.ts'
import { type ConfigError, formatProblem } from './problem.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

async function load(models: string, environment = {}) {
  await writeFile(path.join(folder.path, 'petals-chat.yaml'), `models:\n${models}`)
  return loadConfig({ workingDirectory: folder.path, environment, flags: {} })
}

const problemsOf = async (models: string, environment = {}): Promise<readonly string[]> =>
  load(models, environment).then(
    () => [],
    (error: unknown) => (error as ConfigError).problems.map(formatProblem),
  )

it('take their key from the environment, and have time limits', async () => {
  const { config } = await load(
    '  - { id: big, engine: upstream, baseUrl: "http://10.0.0.7:8000/v1/", apiKey: "${KEY}" }\n',
    { KEY: 'sk-1' },
  )
  expect(config.models).toMatchObject([
    {
      engine: 'upstream',
      baseUrl: 'http://10.0.0.7:8000/v1',
      apiKey: 'sk-1',
      retries: 2,
      idleTimeoutMs: 60_000,
    },
  ])
})

it('are refused with a key that is not set, a fallback that is not there, an address that is none, a source', async () => {
  const missing = await problemsOf(
    '  - { id: big, engine: upstream, baseUrl: "http://a/v1", apiKey: "${KEY}" }\n',
  )
  expect(missing).toEqual([expect.stringContaining('the environment variable KEY is not set')])
  const wrong = await problemsOf(
    [
      '  - { id: a, engine: upstream, baseUrl: "ftp://a" }',
      '  - { id: b, engine: upstream }',
      '  - { id: c, engine: upstream, baseUrl: "http://c/v1", fallback: c }',
      '  - { id: d, engine: upstream, baseUrl: "http://d/v1", source: ./d.gguf }\n',
    ].join('\n'),
  )
  expect(wrong).toEqual([
    expect.stringContaining(
      "'ftp://a' is not allowed: must be an address that begins with http:// or https://",
    ),
    expect.stringContaining('an entry of the engine upstream has either baseUrl or baseUrls'),
    expect.stringContaining("there is no other model 'c' here. Other models: a, b, d."),
    expect.stringContaining('only entries with engine: llama or engine: petals can have this key'),
  ])
})
