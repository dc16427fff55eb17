import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../../.cache/old-versions/', import.meta.url))

/** Installs packages such as `ws@8.17.0` into a folder of their own, without running their scripts. @throws Error with npm's words. */
export function installOld(packages: readonly string[]): string {
  const folder = path.join(cache, packages.join('+').replaceAll('/', '_'))
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'package.json'), '{"private":true,"type":"module"}')
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--force', ...packages]
  const { status, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr.trim().split('\n').slice(0, 3).join(' '))
  return folder
}

export interface OldServer extends AsyncDisposable {
  readonly url: string
  readonly process: ChildProcess
  /** False once the process has ended by itself. */
  readonly isUp: () => boolean
  /** Memory in use by the process, in MiB. */
  readonly memory: () => number
}

/** Runs a module that prints its port, with the packages of `folder`. `node`: the program, if not this one. */
export async function startOldServer(
  folder: string,
  code: string,
  node = process.execPath,
): Promise<OldServer> {
  writeFileSync(path.join(folder, 'server.mjs'), code)
  const child = spawn(node, ['server.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk).trim()))
    child.once('exit', () => reject(new Error('The old server ended before it listened.')))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    process: child,
    isUp: () => child.exitCode === null && child.signalCode === null,
    memory: () => Number(spawnSync('ps', ['-o', 'rss=', '-p', String(child.pid)]).stdout) / 1024,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
    },
  }
}
