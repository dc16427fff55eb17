import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { quoteWord } from '@petals-chat/contribute'
import { defaultModelPath } from '../support/model.ts'
import { straceArguments, violationsIn } from '../support/trace.ts'
import { waitUntilReady } from './support/petals-chat.ts'
import { startLine, type ShellLine } from './support/shell-line.ts'

const chat = ['packages/cli/bin/petals-chat.mjs']
const swarmModel = 'stories15M'

let folder: string
let home: string
let modelFile: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-traced-'))
  home = path.join(folder, 'home')
  await mkdir(home)
  modelFile = await defaultModelPath()
  await ensureModel(findModel(swarmModel)) // fetches it, which is asked for
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A user who has switched nothing off; and not CI, where some libraries report nothing. */
const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: home,
  TMPDIR: folder,
  HF_HUB_OFFLINE: '1',
  NO_COLOR: '1',
})

const traceOf = (name: string): string => path.join(folder, `${name}.trace`)

/** Runs Node with these arguments under strace. */
function traced(name: string, args: readonly string[], env: NodeJS.ProcessEnv = environment()): ShellLine {
  const words = [...straceArguments(traceOf(name)), process.execPath, ...args]
  return startLine(`exec ${words.map(quoteWord).join(' ')}`, { env })
}

async function tracedToEnd(name: string, args: readonly string[]): Promise<void> {
  await using line = traced(name, args)
  expect(await line.exited, line.output()).toBe(0)
}

const post = async (url: string, body: object): Promise<void> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)])
}

/** Caches that this program, the Hub's library and Petals servers are known for. */
const caches = ['petals-chat', 'huggingface', 'petals'].map((name) => path.join('.cache', name, path.sep))

/** The files below the home folder that a session leaves besides. */
async function foreignFiles(): Promise<readonly string[]> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(home, path.join(entry.parentPath, entry.name)))
    .filter((name) => !caches.some((cache) => name.startsWith(cache)))
}

const programs = ['swarm', 'serve', 'status', 'list', 'check', 'chat']

describe('a session', () => {
  it('contacts none but the peers that it was told, looks up no name, and leaves no file of reports', async () => {
    await using swarm = traced('swarm', [
      ...['--conditions=petals-chat-source', 'swarm/bin.ts'],
      ...['--model', swarmModel, '--port', '31411'],
    ])
    await swarm.until(/Ctrl\+C ends all its servers/)
    const [, address] = /--swarm (\S+)/.exec(swarm.output())!
    const swarmFlags = ['--swarm', address!]
    const [, modelFlags] = /(--model .*--dht-prefix \S+)/.exec(swarm.output())!
    const models = ['--model', `local=${modelFile}`, ...modelFlags!.split(' ')]

    await using server = traced('serve', [
      ...[...chat, 'serve', '--port', '0', '--preload', 'all'],
      ...[...swarmFlags, ...models],
    ])
    const [, url] = await server.until(/is listening on (http:\/\/\S+)/)
    await waitUntilReady({ url: url!, output: server.output })
    await server.until(/Stop\s+Ctrl\+C/)
    for (const model of ['local', swarmModel]) {
      await post(`${url}/v1/completions`, {
        model,
        prompt: 'Once upon a time',
        max_tokens: 8,
        temperature: 0,
      })
      await post(`${url}/v1/chat/completions`, {
        model,
        messages: [{ role: 'user', content: 'Hello' }],
        max_tokens: 8,
      })
    }
    for (const place of ['/', '/v1/models', '/api/v1/swarm', '/metrics', '/healthz'])
      expect((await fetch(`${url}${place}`)).status).toBe(200)

    await tracedToEnd('status', [...chat, 'swarm', 'status', ...swarmFlags])
    await tracedToEnd('list', [...chat, 'models', 'list', ...models])
    await tracedToEnd('check', [...chat, 'config', 'check', ...models])
    await tracedToEnd('chat', [...chat, 'chat', '--model', `local=${modelFile}`, '-n', '8', 'Hello'])

    // Reports may wait for the end of the process.
    for (const line of [server, swarm]) {
      line.signalAll('SIGINT')
      await line.exited
    }
    const found: Record<string, readonly string[]> = { files: await foreignFiles() }
    for (const name of programs) found[name] = await violationsIn(traceOf(name))
    expect(found).toEqual({ files: [], ...Object.fromEntries(programs.map((name) => [name, []])) })
  })
})

describe('the trace shows it where something reports', () => {
  it.each([
    [
      'a name that is looked up',
      `import dns from 'node:dns'; dns.resolve4('a.example', () => {})`,
      /looked up/,
    ],
    [
      'a connection to another machine',
      `import net from 'node:net'; net.connect(80, '192.0.2.1').on('error', () => {}).unref()`,
      /connect: 192\.0\.2\.1 port 80/,
    ],
    [
      'a datagram to another machine',
      `import dgram from 'node:dgram'; const s = dgram.createSocket('udp4'); s.send('x', 9, '192.0.2.1', () => s.close())`,
      /192\.0\.2\.1 port 9/,
    ],
    [
      'an id of the machine in the home folder',
      `import { mkdirSync, writeFileSync } from 'node:fs'
       const folder = process.env.HOME + '/.cache/Microsoft/DeveloperTools'
       mkdirSync(folder, { recursive: true })
       writeFileSync(folder + '/deviceid', 'x')`,
      /a file of reports: .*deviceid/,
    ],
  ])('%s', async (name, code, violation) => {
    const script = path.join(folder, 'violation.mjs')
    await writeFile(script, code)
    await using line = traced('violation', [script])
    await line.exited
    expect((await violationsIn(traceOf('violation'))).join('\n'), name).toMatch(violation)
    await rm(path.join(home, '.cache'), { recursive: true, force: true })
  })
})
