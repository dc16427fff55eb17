import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { petalsChat, startPetalsChat, withDefaultModel, type PetalsChat } from './support/petals-chat.ts'

/** The data folder of one machine, and the commands of its operator. */
async function createSite(name: string) {
  const home = path.join(folder, name)
  await mkdir(home)
  const file = path.join(home, 'access.sqlite')
  const config = path.join(home, 'petals-chat.yaml')
  await writeFile(config, `server:\n  access: { keys: required, file: access.sqlite }\n`)
  const run = (...args: readonly string[]) => petalsChat(['--config', config, ...args], { env })
  return {
    file,
    run,
    createKey: async (key: string) => (await run('keys', 'create', key)).stdout.trim(),
    usage: async () => JSON.parse((await run('usage', '--json')).stdout) as readonly Used[],
    serve: (args: readonly string[] = []) =>
      startPetalsChat({ args: ['--config', config, ...args], env, untilReady: args.length === 0 }),
  }
}

interface Used {
  readonly requests: number
  readonly completionTokens: number
}
type Site = Awaited<ReturnType<typeof createSite>>

let env: Readonly<Record<string, string>>
let folder: string
beforeAll(async () => {
  env = await withDefaultModel()
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-backup-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const ask = async ({ url }: PetalsChat, key: string): Promise<number> => {
  const body = JSON.stringify({ prompt: 'One, two,', max_tokens: 2 })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const response = await fetch(`${url}/v1/completions`, { method: 'POST', headers, body })
  await response.text()
  return response.status
}

const models = async ({ url }: PetalsChat, key: string): Promise<number> =>
  (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status

const requestsOf = (usage: readonly Used[]): number =>
  usage.reduce((total, { requests }) => total + requests, 0)

const page = await readFile(new URL('../../docs/deployment.md', import.meta.url), 'utf8')

/** Runs the commands of docs/deployment.md that follow a title, in the folders of a test. */
function restore(copy: string, { file }: Site, title = 'Restore'): void {
  const place = page.slice(page.indexOf(`**${title}**`))
  const [, commands] = /```sh\n([^]*?)```/.exec(place)!
  const script = commands!
    .replace('/var/lib/petals-chat', path.dirname(file))
    .replace(/\/var\/backups\/petals-chat\/\S+/, copy)
  const { status, stderr } = spawnSync('sh', ['-eu', '-c', script], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
}

describe('the steps of "Backup, upgrade, rollback" in docs/deployment.md', () => {
  it('copy keys and usage while the gateway writes, and restore them in another folder', async () => {
    const first = await createSite('first')
    const [lab, gone] = [await first.createKey('lab'), await first.createKey('gone')]
    await first.run('keys', 'revoke', 'gone')
    const copies = ['busy.sqlite', 'last.sqlite'].map((name) => path.join(folder, name)) as [string, string]
    let asked = 0
    {
      await using server = await first.serve()
      for (let request = 0; request < 3; request++) asked += Number((await ask(server, lab)) === 200)
      let isBusy = true
      const writes = (async () => {
        while (isBusy) asked += Number((await ask(server, lab)) === 200)
      })()
      const before = requestsOf(usageIn(first.file))
      expect(await first.run('keys', 'backup', copies[0])).toMatchObject({ code: 0 })
      const after = requestsOf(usageIn(first.file))
      isBusy = false
      await writes
      expect(checkOf(copies[0])).toBe('ok')
      const copied = requestsOf(usageIn(copies[0]))
      expect(copied).toBeGreaterThanOrEqual(before)
      expect(copied).toBeLessThanOrEqual(after)
    }
    expect(await first.run('keys', 'backup', copies[1])).toMatchObject({ code: 0 })
    const usage = await first.usage()
    expect(requestsOf(usage)).toBe(asked)

    const second = await createSite('second')
    await writeFile(`${second.file}-wal`, await readFile(copies[0]))
    restore(copies[1], second)
    expect(await second.usage()).toEqual(usage)
    await using server = await second.serve(['--preload', 'none'])
    const later = await second.createKey('later')
    const states = () => Promise.all([lab, gone, later].map((key) => models(server, key)))
    expect(await states()).toEqual([200, 401, 200])
    restore(copies[1], second, 'Restore while servers run')
    await expect.poll(states).toEqual([200, 401, 401])
  })

  it('of an upgrade and back: a file of a newer program is refused by server and commands, and unchanged', async () => {
    const site = await createSite('newer')
    const key = await site.createKey('lab')
    const copy = path.join(folder, 'before.sqlite')
    await site.run('keys', 'backup', copy)
    const newer = new DatabaseSync(site.file)
    newer.exec('ALTER TABLE keys ADD COLUMN tenant TEXT; PRAGMA user_version = 2')
    newer.exec('PRAGMA journal_mode = DELETE')
    newer.close()
    const before = await readFile(site.file)
    for (const command of [
      ['keys', 'list'],
      ['serve', '--port', '0'],
    ]) {
      const { code, stderr } = await site.run(...command)
      expect([code, stderr]).toEqual([1, expect.stringContaining('was written by a newer Petals Chat')])
      expect(stderr).toContain('docs/deployment.md')
      expect(stderr).not.toMatch(/\n\s+at /)
    }
    expect((await readFile(site.file)).equals(before)).toBe(true)
    restore(copy, site)
    await using server = await site.serve(['--preload', 'none'])
    expect(await models(server, key)).toBe(200)
  })
})

const rowsOf = (file: string, query: string): readonly Record<string, unknown>[] => {
  using database = new DatabaseSync(file, { readOnly: true })
  return database.prepare(query).all()
}
const checkOf = (file: string): unknown => rowsOf(file, 'PRAGMA integrity_check')[0]?.['integrity_check']
const usageIn = (file: string): readonly Used[] =>
  rowsOf(file, 'SELECT requests, completion_tokens AS completionTokens FROM usage') as never
