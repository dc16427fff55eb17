import { access, rm } from 'node:fs/promises'
import path from 'node:path'
import { SetupError, root, run, startProgress } from './progress.mjs'
import { digestOfContents, forget, isFresh, markFresh } from './stamp.mjs'

/**
 * Python environments that tests need; the product itself needs none. `withoutDependencies` is installed last, with
 * `--no-deps`: its own pins do not fit the rest.
 */
const environments = [
  {
    name: 'clients',
    title: 'Python: the official OpenAI client',
    requirements: 'tests/e2e/requirements.txt',
  },
  {
    name: 'swarm',
    title: 'Python: the Petals servers (about 2.5 GB)',
    requirements: 'swarm/requirements.txt',
    withoutDependencies: 'swarm/requirements-no-deps.txt',
  },
]

const exists = (file) =>
  access(file).then(
    () => true,
    () => false,
  )
const environmentFolder = (name) => path.join(root, '.cache', 'python', name)
const pythonOf = (folder) =>
  process.platform === 'win32'
    ? path.join(folder, 'Scripts', 'python.exe')
    : path.join(folder, 'bin', 'python')

/** A Python that torch 2.3 has packages for. */
async function findPython() {
  for (const [command, ...args] of [
    ['python3.11'],
    ['python3.10'],
    ['python3'],
    ['python'],
    ['py', '-3.11'],
  ]) {
    const { code, output } = await run(
      command,
      [...args, '-c', 'import sys, venv; print(sys.version_info[:2])'],
      { allowFailure: true },
    )
    const minor = Number(/\(3, (\d+)\)/.exec(output)?.[1])
    if (code === 0 && minor >= 8 && minor <= 12) return [command, ...args]
  }
  throw new SetupError(
    'The tests start real Petals servers and need Python 3.8 to 3.12 with venv for them; none was found. ' +
      'Install Python 3.11 (on Debian: apt-get install python3 python3-venv), then run npm test again. npm start needs no Python.',
  )
}

/** The last package that pip said it was working on. */
function pipProgress() {
  let last = ''
  return {
    onOutput: (text) =>
      (last =
        /(?:Collecting|Downloading|Installing collected packages:?) ?([\w.-]*)/.exec(text)?.[1] ?? last),
    detail: () => (last ? `${last},` : ''),
  }
}

async function install({ name, title, requirements, withoutDependencies }) {
  const files = [requirements, withoutDependencies].filter(Boolean)
  if (!(await exists(path.join(root, requirements)))) return
  const folder = environmentFolder(name)
  const python = pythonOf(folder)
  const digest = await digestOfContents(files, process.platform)
  if ((await isFresh(`python-${name}`, digest)) && (await exists(python))) return
  await forget(`python-${name}`)
  const [command, ...args] = await findPython()
  const { onOutput, detail } = pipProgress()
  const finish = startProgress(title, detail)
  await rm(folder, { recursive: true, force: true })
  await run(command, [...args, '-m', 'venv', folder])
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--progress-bar', 'off']
  await run(python, [...pip, '-r', requirements], { onOutput })
  if (withoutDependencies) await run(python, [...pip, '--no-deps', '-r', withoutDependencies], { onOutput })
  finish('done')
  await markFresh(`python-${name}`, digest)
}

export async function installPythonEnvironments() {
  for (const environment of environments) await install(environment)
}
