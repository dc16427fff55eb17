import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where pyenv keeps its versions, the newest 2.7 first. */
async function pyenvPythons(): Promise<readonly string[]> {
  const versions = path.join(process.env['PYENV_ROOT'] ?? path.join(homedir(), '.pyenv'), 'versions')
  const names = await readdir(versions).catch(() => [])
  const old = names
    .filter((name) => name.startsWith('2.7.'))
    .toSorted((left, right) => right.localeCompare(left))
  return old.map((name) => path.join(versions, name, 'bin', 'python'))
}

const isPython2 = (command: string): Promise<boolean> =>
  run(command, ['-c', 'import sys, pip; sys.exit(sys.version_info[:2] != (2, 7))']).then(
    () => true,
    () => false,
  )

/** Finds a Python 2.7 with pip: `PYTHON27`, on the path, or of pyenv. @throws Error that says how to get one. */
export async function findPython2(): Promise<string> {
  const named = process.env['PYTHON27']
  const candidates = [...(named ? [named] : []), 'python2.7', 'python2', ...(await pyenvPythons())]
  for (const candidate of candidates) if (await isPython2(candidate)) return candidate
  throw new Error(
    "Autobahn's test suite runs only on Python 2.7, and none with pip was found (PYTHON27, python2.7, python2, pyenv). " +
      'Install one, for example by "pyenv install 2.7.18", and run this again.',
  )
}
