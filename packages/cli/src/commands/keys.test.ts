import { silentLogger } from '@petals-chat/engine'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { provideFirstKey } from '../access/first-key.ts'
import { openKeys, openServerKeys } from '../access/open-keys.ts'
import { loadConfig } from '../config/load.ts'
import { CommandError } from '../exit-codes.ts'
import { runProgram } from '../program.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'

const file = 'server:\n  access:\n    file: keys/access.sqlite\n'

/** Runs commands with one file of keys. */
async function createFolder() {
  const folder = await temporaryFolder()
  await folder.write('petals-chat.yaml', file)
  const run = async (...args: readonly string[]) => {
    const { terminal, stdout, stderr } = recordingTerminal()
    const context = { terminal, environment: {}, workingDirectory: folder.path }
    const failed = (error: unknown) => {
      if (error instanceof CommandError) return error.message
      throw error
    }
    const result = await runProgram(['keys', ...args], context).catch(failed)
    return { result, stdout: stdout(), stderr: stderr() }
  }
  const loaded = () => loadConfig({ environment: {}, workingDirectory: folder.path, flags: {} })
  return { run, loaded, path: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

describe('petals-chat keys', () => {
  it('makes a key that is printed once, alone on stdout, and stands nowhere in the files', async () => {
    await using folder = await createFolder()
    const { stdout, stderr } = await folder.run(
      'create',
      'lab',
      '--scopes',
      'models, openai',
      '--expires',
      '90d',
    )
    expect(stdout).toMatch(/^sk-petals-[a-z2-9]{12}-[\w-]{43}\n$/)
    expect(stderr).not.toContain(stdout.trim())
    const secret = stdout.trim().split('-').slice(3).join('-')
    const files = readdirSync(join(folder.path, 'keys'))
    expect(files).toContain('access.sqlite')
    for (const name of files)
      expect(readFileSync(join(folder.path, 'keys', name)).toString('latin1')).not.toContain(secret)
    const list = await folder.run('list')
    expect(list.stdout).toMatch(/lab +until \d{4}-\d\d-\d\d +never +models,openai +all +none/)
    expect(list.stdout).not.toContain(secret)
    using opened = await openKeys(await folder.loaded())
    expect(opened.keys.verify(stdout.trim())).toMatchObject({ state: 'valid', key: { name: 'lab' } })
  })

  it('sets models and every limit', async () => {
    await using folder = await createFolder()
    await folder.run(
      ...['create', 'lab', '--models', 'a,b', '--requests-per-minute', '1', '--tokens-per-minute', '2'],
      ...[
        '--tokens-per-day',
        '3',
        '--parallel-answers',
        '4',
        '--max-context',
        '5',
        '--swarm-seconds-per-day',
        '6',
      ],
    )
    expect(JSON.parse((await folder.run('list', '--json')).stdout)).toMatchObject([
      {
        models: ['a', 'b'],
        limits: {
          requestsPerMinute: 1,
          tokensPerMinute: 2,
          tokensPerDay: 3,
          parallelAnswers: 4,
          maxContext: 5,
          swarmSecondsPerDay: 6,
        },
      },
    ])
  })

  it.each([
    [['--scopes', 'root'], "no scope 'root'"],
    [['--scopes', ' , '], '--scopes: name at least one'],
    [['--models', ''], '--models: name at least one'],
    [['--expires', '999999y'], 'in the year 9999 at the latest'],
    [['--expires', 'soon'], "'soon' is no time"],
    [['--expires', '2020-01-01'], 'in the past'],
    [['--expires', '2027-99-01'], 'is no date'],
    [['--tokens-per-day', '0'], '--tokens-per-day: '],
    [['--max-context', '1.5'], '--max-context: '],
  ])('refuses %j in words', async (flags, words) => {
    await using folder = await createFolder()
    expect((await folder.run('create', 'lab', ...flags)).result).toContain(words)
    expect((await folder.run('list')).stdout).toBe('')
  })

  it('says in words that the file is locked by another program, and changes nothing', async () => {
    await using folder = await createFolder()
    await folder.run('create', 'lab')
    using other = new DatabaseSync(join(folder.path, 'keys/access.sqlite'))
    other.exec('BEGIN IMMEDIATE')
    const { result } = await folder.run('revoke', 'lab')
    expect(result).toContain("access.sqlite, can't be used: database is locked. Nothing was changed.")
    other.exec('ROLLBACK')
    expect((await folder.run('list')).stdout).toMatch(/lab +valid/)
  })

  it('rotates and revokes by name or id', async () => {
    await using folder = await createFolder()
    const first = (await folder.run('create', 'lab')).stdout.trim()
    const second = (await folder.run('rotate', 'lab', '--grace', '1h')).stdout.trim()
    using opened = await openKeys(await folder.loaded())
    const states = () => [first, second].map((token) => opened.keys.verify(token).state)
    expect(states()).toEqual(['valid', 'valid'])
    await folder.run('rotate', first.split('-')[2]!)
    expect(states()).toEqual(['revoked', 'revoked'])
    expect((await folder.run('revoke', 'lab')).stderr).toContain("Revoked 'lab'")
    expect((await folder.run('list')).stdout).toContain('revoked 20')
    expect((await folder.run('revoke', 'lab')).result).toContain("There is no key 'lab'")
  })
})

describe('petals-chat keys backup', () => {
  it('copies the file once, and makes none where there is none', async () => {
    await using folder = await createFolder()
    expect((await folder.run('backup', 'copy.sqlite')).result).toMatch(/There is no file .*access\.sqlite/)
    expect(readdirSync(folder.path)).toEqual(['petals-chat.yaml'])
    const token = (await folder.run('create', 'lab')).stdout.trim()
    expect((await folder.run('backup', 'copy.sqlite')).stderr).toContain(join(folder.path, 'copy.sqlite'))
    expect((await folder.run('backup', 'copy.sqlite')).result).toContain('already a file')
    writeFileSync(join(folder.path, 'petals-chat.yaml'), 'server: { access: { file: copy.sqlite } }\n')
    using opened = await openKeys(await folder.loaded())
    expect(opened.keys.verify(token)).toMatchObject({ state: 'valid', key: { name: 'lab' } })
  })
})

describe('the keys of a server', () => {
  it('are opened on a public host, and on loopback only if there is a file', async () => {
    await using folder = await createFolder()
    const { config, ...rest } = await folder.loaded()
    const warnings: string[] = []
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) }
    const opened = async (server: object) => {
      const changed = { ...config, server: { ...config.server, ...server } }
      const keys = await openServerKeys({ ...rest, config: changed }, logger)
      keys?.[Symbol.dispose]()
      return keys !== undefined
    }
    expect(await opened({})).toBe(false)
    expect(await opened({ host: '0.0.0.0', insecurePublic: true })).toBe(false)
    expect(await opened({ host: '0.0.0.0', access: { ...config.server.access, keys: 'off' } })).toBe(false)
    expect(readdirSync(folder.path)).toEqual(['petals-chat.yaml'])
    expect(await opened({ host: '0.0.0.0' })).toBe(true)
    const signIn = { ...config.server.signIn, proxy: { userHeader: 'x-user' } }
    // Who is signed in, and what they have used, is kept in the same file.
    expect(await opened({ signIn, access: { ...config.server.access, keys: 'off' } })).toBe(true)
    expect(await opened({})).toBe(true)
    // No key is lost: such a server starts without the file, and says what it forgets.
    const access = { ...config.server.access, keys: 'off', file: 'petals-chat.yaml/access.sqlite' }
    expect(warnings).toEqual([])
    expect(await opened({ access, signIn })).toBe(false)
    expect(warnings).toEqual([expect.stringMatching(/access\.sqlite.*forgotten at a restart/s)])
    await expect(opened({ access: { ...access, keys: 'required' }, signIn })).rejects.toThrow(CommandError)
  })

  it('begin with one that is printed once on a terminal, and never into a log', async () => {
    await using folder = await createFolder()
    const { config, ...rest } = await folder.loaded()
    const server = { ...config.server, host: '0.0.0.0' }
    using opened = await openKeys({ config, ...rest })
    const log = recordingTerminal()
    provideFirstKey(log.terminal, opened.keys, server)
    expect(log.screen()).toContain('petals-chat keys create')
    expect(log.screen()).not.toContain('sk-petals-')
    expect(opened.keys.hasKeys).toBe(false)
    const screen = recordingTerminal({ isTTY: true })
    provideFirstKey(screen.terminal, opened.keys, server)
    const [token = ''] = /sk-petals-[\w-]+/.exec(screen.stdout()) ?? []
    expect(opened.keys.verify(token)).toMatchObject({ state: 'valid', key: { name: 'first' } })
    const again = recordingTerminal({ isTTY: true })
    provideFirstKey(again.terminal, opened.keys, server)
    expect(again.screen()).toBe('')
  })
})
