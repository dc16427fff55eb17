import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ContributeError } from '../contribute-error.ts'
import { runProgram } from './run-program.ts'

/** The program that makes an environment: uv, or a Python with venv and pip. */
export type Installer =
  | { readonly kind: 'uv'; readonly command: readonly string[] }
  | { readonly kind: 'pip'; readonly command: readonly string[]; readonly version: string }

/** What an environment takes, by builds of PyTorch. Measured: `du` of the finished one, and what pip said it fetched. */
export interface EnvironmentSize {
  /** On the disk, when it is finished. */
  readonly diskBytes: number
  readonly downloadBytes: number
  /** On a usual connection. */
  readonly minutes: string
}

/** The facts that the set-up script shares (scripts/setup/python.mjs), which runs before TypeScript can. */
export const environmentFacts = JSON.parse(
  readFileSync(new URL('../../python/environment.json', import.meta.url), 'utf8'),
) as {
  /** Python 3.x for which PyTorch 2.3 has packages; 3.11 is what the versions are tested with. */
  readonly pythonMinor: { readonly oldest: number; readonly newest: number }
  /** Commands to try, in order of preference. */
  readonly pythons: readonly string[]
  /** A program that prints the version, and fails without venv. */
  readonly probe: string
  readonly sizes: Readonly<Record<'cuda' | 'cpu', EnvironmentSize>>
}

export const uvPython = '3.11'

type Run = (
  command: string,
  args: readonly string[],
) => Promise<{ readonly code: number; readonly output: string }>

const quietly: Run = (command, args) => runProgram(command, args, { timeoutMs: 30_000 })

/** Finds uv, which downloads a Python itself, or else a suitable Python. @throws ContributeError if there is neither */
export async function findInstaller(run: Run = quietly): Promise<Installer> {
  return (await findUv(run)) ?? (await findPython(run)) ?? refuse()
}

export async function findUv(run: Run = quietly): Promise<Installer | undefined> {
  return (await run('uv', ['--version'])).code === 0 ? { kind: 'uv', command: ['uv'] } : undefined
}

export async function findPython(run: Run = quietly): Promise<Installer | undefined> {
  const { pythons, probe, pythonMinor } = environmentFacts
  for (const command of pythons) {
    const { code, output } = await run(command, ['-c', probe])
    const minor = Number(/^3\.(\d+)\s*$/m.exec(output)?.[1])
    if (code === 0 && minor >= pythonMinor.oldest && minor <= pythonMinor.newest)
      return { kind: 'pip', command: [command], version: `3.${minor}` }
  }
  return undefined
}

function refuse(): never {
  throw new ContributeError(
    'A Petals server is a Python program, but neither uv nor Python 3.8 to 3.12 with venv was found. ' +
      'Install uv (https://docs.astral.sh/uv, which downloads Python itself), or Python 3.11 (Debian and Ubuntu: ' +
      'sudo apt install python3 python3-venv; macOS: brew install python@3.11), then run the command again.',
  )
}

/** Returns the path of an environment's Python. */
export const pythonOf = (folder: string, platform: NodeJS.Platform = process.platform): string =>
  platform === 'win32' ? path.join(folder, 'Scripts', 'python.exe') : path.join(folder, 'bin', 'python')
