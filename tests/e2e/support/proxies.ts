import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request, type RequestOptions } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type ClientOptions, WebSocket } from 'ws'
import { freePort } from '../../../packages/engine/src/testing/free-port.ts'

/** The name in the examples of docs/deployment.md. */
export const SITE = 'chat.example.org'

export const deployFile = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../deploy/${name}`, import.meta.url)), 'utf8')

/** A proxy with TLS on loopback, as the clients of the site reach it. */
export interface TlsProxy extends AsyncDisposable {
  readonly name: string
  readonly port: number
  /** From 127.0.0.2, so that the client has another address than the proxy. */
  get(path: string, options?: RequestOptions & { readonly body?: string }): Promise<ProxyResponse>
  /** Resolves with the body as it comes. */
  stream(path: string, body: string): Promise<AsyncIterable<Buffer>>
  webSocket(path: string): WebSocket
}

export interface ProxyResponse {
  readonly status: number
  readonly body: string
}

/** Starts nginx with `deploy/nginx.conf`, in front of these ports. */
export function startNginxSite(ports: readonly number[], more = ''): Promise<TlsProxy> {
  return startProxy('nginx', (folder, port) => {
    const servers = ports.map((each) => `server 127.0.0.1:${each};`).join('\n    ')
    const site = deployFile('nginx.conf')
      .replace('server 127.0.0.1:5000;', servers)
      .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
      .replaceAll(/\/etc\/ssl\/chat\.example\.org/g, folder)
      .replace(/\n\}\s*$/, `\n${more.replaceAll(':5000', `:${ports[0]}`)}\n}\n`)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
      .join('\n')
    writeFileSync(
      path.join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; events {}\nhttp { access_log off;\n${temporary}\n${site}\n}\n`,
    )
    return ['/usr/sbin/nginx', ['-p', folder, '-c', path.join(folder, 'nginx.conf'), '-e', 'stderr']]
  })
}

/** Starts Caddy with `deploy/Caddyfile`, in front of these ports. */
export function startCaddySite(ports: readonly number[]): Promise<TlsProxy> {
  return startProxy('caddy', (folder, port) => {
    const upstreams = ports.map((each) => `127.0.0.1:${each}`).join(' ')
    const site = deployFile('Caddyfile')
      .replace('127.0.0.1:5000', upstreams)
      .replace(`${SITE} {`, `https://${SITE}:${port} {\n\ttls ${folder}/fullchain.pem ${folder}/privkey.pem`)
    const global = `{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n`
    writeFileSync(path.join(folder, 'Caddyfile'), global + site)
    return ['caddy', ['run', '--config', path.join(folder, 'Caddyfile'), '--adapter', 'caddyfile']]
  })
}

type Command = readonly [program: string, args: readonly string[]]

async function startProxy(name: string, write: (folder: string, port: number) => Command): Promise<TlsProxy> {
  const folder = mkdtempSync(path.join(tmpdir(), `petals-chat-${name}-`))
  makeCertificate(folder)
  const port = await freePort()
  const [program, args] = write(folder, port)
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (said += data.toString()))
  const ended = once(child, 'close')
  await listening(port, () => (child.exitCode === null ? undefined : said))
  const ca = readFileSync(path.join(folder, 'fullchain.pem'))
  const shared = { ca, port, host: '127.0.0.1', servername: SITE, localAddress: '127.0.0.2' }
  const host = `${SITE}:${port}`

  const open = async (
    at: string,
    { body, headers, ...options }: RequestOptions & { readonly body?: string },
  ) => {
    const sent = request({
      ...shared,
      ...options,
      path: at,
      method: body === undefined ? 'GET' : 'POST',
      headers: { host, 'content-type': 'application/json', ...(headers as object) },
    })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    return response
  }
  return {
    name,
    port,
    async get(at, options = {}) {
      const response = await open(at, options)
      return { status: response.statusCode ?? 0, body: await text(response) }
    },
    async stream(at, body) {
      return (await open(at, { body })) as AsyncIterable<Buffer>
    },
    webSocket(at) {
      // The types of ws leave out what it hands on to TLS.
      const options: ClientOptions & { servername: string } = {
        ca,
        servername: SITE,
        headers: { host, origin: `https://${host}` },
      }
      return new WebSocket(`wss://127.0.0.1:${port}${at}`, options)
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function makeCertificate(folder: string): void {
  const files = ['-keyout', `${folder}/privkey.pem`, '-out', `${folder}/fullchain.pem`]
  const subject = ['-subj', `/CN=${SITE}`, '-addext', `subjectAltName=DNS:${SITE}`]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, ...files, ...subject], { stdio: 'pipe' })
}

async function listening(port: number, failure: () => string | undefined): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return
    const said = failure()
    if (said !== undefined) throw new Error(`The proxy ended: ${said}`)
    await delay(50)
  }
  throw new Error('The proxy does not listen.')
}
