import { access, mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { formatBytes, requireSpace } from './disk.mjs'
import { watchPip } from './pip.mjs'
import { SetupError, invokedAs, root, run, startProgress, step } from './progress.mjs'
import { digestOfContents, forget, isFresh, markFresh } from './stamp.mjs'

// `petals-chat contribute` makes the same environment (packages/contribute/src/environment). Shared are the lists of
// requirements and the facts below; the code is not, because this script runs on Node 18 before TypeScript is installed.
const contribute = 'packages/contribute/python'
const facts = JSON.parse(await readFile(path.join(root, contribute, 'environment.json'), 'utf8'))

/** PyPI's torch for Linux on x64 includes NVIDIA's libraries. */
const swarmSize = facts.sizes[process.platform === 'linux' && process.arch === 'x64' ? 'cuda' : 'cpu']

/**
 * Python environments, for tests and for swarms on this machine; the product itself needs none. `withoutDependencies` is
 * installed last, with `--no-deps`, because its own pins do not fit the rest. `included` are the files that these name.
 */
const environments = {
  clients: {
    title: 'Python: the official clients of OpenAI, Anthropic and Ollama, and the server of llama.cpp',
    requirements: 'tests/e2e/requirements.txt',
    diskBytes: 0.25e9,
    downloadBytes: 0.06e9,
    minutes: '1',
  },
  swarm: {
    title: 'Python: the Petals servers',
    requirements: 'swarm/requirements.txt',
    withoutDependencies: 'swarm/requirements-no-deps.txt',
    included: [`${contribute}/requirements.txt`, `${contribute}/requirements-no-deps.txt`],
    ...swarmSize,
  },
}

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

/** Finds a Python that torch 2.3 has packages for. */
async function findPython() {
  const { oldest, newest } = facts.pythonMinor
  for (const [command, ...args] of [...facts.pythons.map((name) => [name]), ['py', '-3.11']]) {
    const { code, output } = await run(command, [...args, '-c', facts.probe], { allowFailure: true })
    const minor = Number(/^3\.(\d+)\s*$/m.exec(output)?.[1])
    if (code === 0 && minor >= oldest && minor <= newest) return [command, ...args]
  }
  throw new SetupError(
    `Petals servers are Python programs and need Python 3.${oldest} to 3.${newest} with venv; none was found. Install Python 3.11 ` +
      `(on Debian: apt-get install python3 python3-venv), then run ${invokedAs()} again. npm start needs no Python.`,
  )
}

/** Fills a new environment with pip. Its temporary files stay on the same disk: a small /tmp could not hold them. */
async function fill(folder, [command, ...args], { title, requirements, withoutDependencies, diskBytes }) {
  const python = pythonOf(folder)
  const downloads = `${folder}-downloads`
  await rm(folder, { recursive: true, force: true })
  await mkdir(downloads, { recursive: true })
  const { onOutput, detail, stop } = watchPip({ downloads, environment: folder, expectedBytes: diskBytes })
  const finish = startProgress(title, detail)
  try {
    const env = { TMPDIR: downloads, TEMP: downloads, TMP: downloads }
    await run(command, [...args, '-m', 'venv', folder])
    const pip = ['-m', 'pip', 'install', '--progress-bar', 'off', '--no-input']
    await run(python, [...pip, '-r', requirements], { onOutput, env })
    if (withoutDependencies)
      await run(python, [...pip, '--no-deps', '-r', withoutDependencies], { onOutput, env })
    finish('finished')
  } catch (error) {
    finish('failed')
    throw new SetupError(
      `${title} could not be installed. Check the network connection (and pip's proxy settings), ` +
        `then run ${invokedAs()} again; pip keeps its downloads in its cache.\n${error.message}`,
    )
  } finally {
    stop()
    await rm(downloads, { recursive: true, force: true })
  }
}

/**
 * Prints what an environment will take, and checks whether it can be made, before anything else takes its time. Returns the
 * function that makes it; undefined if it exists with its current requirements.
 */
export async function planPythonEnvironment(name) {
  const environment = environments[name]
  const {
    title,
    requirements,
    withoutDependencies,
    included = [],
    diskBytes,
    downloadBytes,
    minutes,
  } = environment
  const files = [requirements, withoutDependencies, ...included].filter(Boolean)
  const folder = environmentFolder(name)
  const digest = await digestOfContents(files, process.platform)
  if ((await isFresh(`python-${name}`, digest)) && (await exists(pythonOf(folder)))) return undefined
  const python = await findPython()
  await requireSpace(path.dirname(folder), diskBytes + downloadBytes, title)
  step(
    `${title}: needs ${formatBytes(diskBytes)} of disk in ${path.relative(root, folder)}. Downloads about ${formatBytes(downloadBytes)} ` +
      `once, which takes about ${minutes} ${minutes === '1' ? 'minute' : 'minutes'} on a usual connection. Ctrl+C stops it.`,
  )
  return async () => {
    await forget(`python-${name}`)
    await fill(folder, python, environment)
    await markFresh(`python-${name}`, digest)
  }
}
