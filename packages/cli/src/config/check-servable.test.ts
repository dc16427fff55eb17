import { homedir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { checkLoaded } from '../doctor/config-check.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { findServingProblems, warnOfMissingFiles } from './check-servable.ts'
import { loadConfig } from './load.ts'
import { formatProblem } from './problem.ts'

async function check(flags: object, files: Readonly<Record<string, string>> = {}, environment = {}) {
  await using folder = await temporaryFolder()
  for (const [name, text] of Object.entries(files)) await folder.write(name, text)
  const loaded = await loadConfig({
    workingDirectory: folder.path,
    environment,
    flags: flags as Readonly<Record<string, unknown>>,
  })
  const strip = (text: string) => text.replaceAll(folder.path, '.')
  return {
    problems: findServingProblems(loaded).map(formatProblem).map(strip),
    warnings: warnOfMissingFiles(loaded).map(formatProblem).map(strip),
    doctor: checkLoaded(loaded).status,
  }
}

describe('serve', () => {
  it('refuses a host that others can reach without keys, unless it is allowed', async () => {
    for (const host of ['0.0.0.0', '::', '[::]', '10.0.0.1']) {
      const { problems, doctor } = await check({ host, keys: 'off' })
      expect(problems).toEqual([
        expect.stringMatching(/^--host: server\.host: \S+ would let every client .*--insecure-public/),
      ])
      expect(doctor).toBe('failure')
      expect((await check({ host, keys: 'off', insecurePublic: true })).problems).toEqual([])
      expect((await check({ host })).problems).toEqual([])
    }
    for (const host of ['[::1]', '::1', 'localhost', '127.0.0.2', '::ffff:127.0.0.1'])
      expect(await check({ host })).toEqual({ problems: [], warnings: [], doctor: 'ok' })
  })

  it('needs no keys where people sign in through a provider or a proxy', async () => {
    const openid = 'openid: { issuer: "https://login.example.org", clientId: chat, users: ["*"] }'
    for (const way of [openid, 'proxy: { userHeader: X-Forwarded-User }']) {
      const text = `server:\n  host: 0.0.0.0\n  access: { keys: off }\n  signIn:\n    ${way}\n`
      expect(await check({}, { 'petals-chat.yaml': text })).toMatchObject({ problems: [], doctor: 'ok' })
    }
    const hours = 'server:\n  host: 0.0.0.0\n  access: { keys: off }\n  signIn: { hours: 1 }\n'
    expect((await check({}, { 'petals-chat.yaml': hours })).problems).toHaveLength(1)
  })

  it('reports the line of the file with the mistake', async () => {
    const { problems } = await check(
      {},
      { 'petals-chat.yaml': 'server:\n  host: 0.0.0.0\n  access: { keys: off }\n' },
    )
    expect(problems).toEqual([expect.stringMatching(/^petals-chat\.yaml:2:9: server\.host: /)])
  })

  it('refuses a model of --model whose file does not exist', async () => {
    expect((await check({ model: ['./typo.gguf'] })).problems).toEqual([
      '--model: there is no file or folder ./typo.gguf.',
    ])
    const variable = { PETALS_CHAT_MODEL: 'petals:./nowhere' }
    expect((await check({}, {}, variable)).problems).toEqual([
      'PETALS_CHAT_MODEL: there is no file or folder ./nowhere.',
    ])
    const { problems } = await check({ model: ['~/no such folder/typo.gguf'] })
    expect(problems).toEqual([`--model: there is no file or folder ${homedir()}/no such folder/typo.gguf.`])
    expect((await check({ model: ['./here.gguf'] }, { 'here.gguf': '' })).problems).toEqual([])
    expect((await check({ model: ['hf:owner/repo:Q4_K_M'] })).problems).toEqual([])
  })

  it('only warns about a missing file that the configuration file names: it may be added later', async () => {
    const text = 'models:\n  - id: a\n    engine: llama\n    source: ./later.gguf\n'
    expect(await check({}, { 'petals-chat.yaml': text })).toEqual({
      problems: [],
      warnings: ['petals-chat.yaml:4:13: models[0].source: there is no file or folder ./later.gguf yet.'],
      doctor: 'ok',
    })
  })
})
