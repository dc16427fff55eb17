import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../../packages/engine/src/testing/free-port.ts'

export interface Nginx extends AsyncDisposable {
  readonly url: string
}

/** Debian keeps it where only root's shells look. */
const PROGRAM = process.env['NGINX_PATH'] ?? '/usr/sbin/nginx'

/** A real nginx on loopback, with these `location` blocks, and otherwise as Debian sets it up: it buffers. */
export async function startNginx(locations: string): Promise<Nginx> {
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-nginx-'))
  const port = await freePort()
  await writeFile(path.join(folder, 'nginx.conf'), configOf(folder, port, locations))
  const nginx = spawn(PROGRAM, ['-p', folder, '-c', path.join(folder, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  nginx.stderr.on('data', (text: Buffer) => (said += text.toString()))
  const ended = once(nginx, 'close')
  const url = `http://127.0.0.1:${port}`
  await reachable(url, () => (nginx.exitCode === null ? undefined : said))
  return {
    url,
    async [Symbol.asyncDispose]() {
      nginx.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** One process, which ends with the test, and writes into its own folder only. */
function configOf(folder: string, port: number, locations: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    ${locations}
  }
}
`
}

async function reachable(url: string, failure: () => string | undefined): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return
    const said = failure()
    if (said !== undefined) throw new Error(`nginx ended: ${said}`)
    await delay(50)
  }
  throw new Error('nginx does not answer.')
}
