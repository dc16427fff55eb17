import path from 'node:path'
import { ContributeError } from '../contribute-error.ts'
import { runProgram } from './run-program.ts'

/** What makes an environment: uv, or a Python with venv and pip. */
export type Installer =
  | { readonly kind: 'uv'; readonly command: readonly string[] }
  | { readonly kind: 'pip'; readonly command: readonly string[]; readonly version: string }

/** PyTorch 2.3 has packages for Python 3.8 to 3.12; 3.11 is what the versions are tested with. */
const candidates: readonly (readonly string[])[] = [
  ['python3.11'],
  ['python3.10'],
  ['python3.12'],
  ['python3.9'],
  ['python3.8'],
  ['python3'],
  ['python'],
]
export const uvPython = '3.11'

type Run = (
  command: string,
  args: readonly string[],
) => Promise<{ readonly code: number; readonly output: string }>

const quietly: Run = (command, args) => runProgram(command, args, { timeoutMs: 30_000 })

/** uv where it is there: it brings a Python along; else a usable Python. @throws ContributeError */
export async function findInstaller(run: Run = quietly): Promise<Installer> {
  return (await findUv(run)) ?? (await findPython(run)) ?? refuse()
}

export async function findUv(run: Run = quietly): Promise<Installer | undefined> {
  return (await run('uv', ['--version'])).code === 0 ? { kind: 'uv', command: ['uv'] } : undefined
}

const probe = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])'

export async function findPython(run: Run = quietly): Promise<Installer | undefined> {
  for (const command of candidates) {
    const { code, output } = await run(command[0]!, [...command.slice(1), '-c', probe])
    const [, version] = /^3\.(\d+)\s*$/m.exec(output) ?? []
    if (code === 0 && Number(version) >= 8 && Number(version) <= 12)
      return { kind: 'pip', command, version: `3.${version}` }
  }
  return undefined
}

function refuse(): never {
  throw new ContributeError(
    'A Petals server is a Python program, and there is neither uv nor a Python 3.8 to 3.12 with venv here. ' +
      'Install one: uv (https://docs.astral.sh/uv, it brings its own Python), or Python 3.11 (Debian and Ubuntu: ' +
      'sudo apt install python3 python3-venv; macOS: brew install python@3.11), then run this again.',
  )
}

/** The Python of an environment. */
export const pythonOf = (folder: string, platform: NodeJS.Platform = process.platform): string =>
  platform === 'win32' ? path.join(folder, 'Scripts', 'python.exe') : path.join(folder, 'bin', 'python')
