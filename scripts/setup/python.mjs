import { access, mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { formatBytes, requireSpace } from './disk.mjs'
import { watchPip } from './pip.mjs'
import { SetupError, invokedAs, root, run, startProgress, step } from './progress.mjs'
import { digestOfContents, forget, isFresh, markFresh } from './stamp.mjs'

/** PyPI's torch for Linux on x64 brings NVIDIA's libraries. Bytes: measured with `du`, and what pip said it fetched. */
const swarmSize =
  process.platform === 'linux' && process.arch === 'x64'
    ? { disk: 5.6e9, download: 3e9, time: '5 to 15 minutes' }
    : { disk: 1.6e9, download: 0.5e9, time: '2 to 8 minutes' }

/**
 * Python environments, for tests and for swarms on this machine; the product itself needs none. `withoutDependencies` is
 * installed last, with `--no-deps`: its own pins do not fit the rest. `included` are the files that these name.
 */
const environments = {
  clients: {
    title: 'Python: the official OpenAI client',
    requirements: 'tests/e2e/requirements.txt',
    disk: 0.1e9,
    download: 0.02e9,
    time: 'about a minute',
  },
  swarm: {
    title: 'Python: the Petals servers',
    requirements: 'swarm/requirements.txt',
    withoutDependencies: 'swarm/requirements-no-deps.txt',
    included: [
      'packages/contribute/python/requirements.txt',
      'packages/contribute/python/requirements-no-deps.txt',
    ],
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
      [...args, '-c', 'import sys, venv, ensurepip; print(sys.version_info[:2])'],
      { allowFailure: true },
    )
    const minor = Number(/\(3, (\d+)\)/.exec(output)?.[1])
    if (code === 0 && minor >= 8 && minor <= 12) return [command, ...args]
  }
  throw new SetupError(
    'Petals servers are Python programs and need Python 3.8 to 3.12 with venv; none was found. Install Python 3.11 ' +
      `(on Debian: apt-get install python3 python3-venv), then run ${invokedAs()} again. npm start needs no Python.`,
  )
}

/** Fills a new environment by pip. Its temporary files stay on the same disk: a small /tmp could not hold them. */
async function fill(folder, [command, ...args], { title, requirements, withoutDependencies, disk }) {
  const python = pythonOf(folder)
  const downloads = `${folder}-downloads`
  await rm(folder, { recursive: true, force: true })
  await mkdir(downloads, { recursive: true })
  const { onOutput, detail, stop } = watchPip({ downloads, environment: folder, expectedBytes: disk })
  const finish = startProgress(title, detail)
  try {
    const env = { TMPDIR: downloads, TEMP: downloads, TMP: downloads }
    await run(command, [...args, '-m', 'venv', folder])
    const pip = ['-m', 'pip', 'install', '--progress-bar', 'off', '--no-input']
    await run(python, [...pip, '-r', requirements], { onOutput, env })
    if (withoutDependencies)
      await run(python, [...pip, '--no-deps', '-r', withoutDependencies], { onOutput, env })
    finish('done')
  } catch (error) {
    finish('failed')
    throw new SetupError(
      `${title} could not be installed. What helps most often: check the network connection (and pip's proxy), ` +
        `then run ${invokedAs()} again; what pip has fetched is in its cache.\n${error.message}`,
    )
  } finally {
    stop()
    await rm(downloads, { recursive: true, force: true })
  }
}

/**
 * Says what an environment will take, and looks whether it can be made, before anything else takes its time. Gives what
 * makes it; undefined if it is there as its requirements are now.
 */
export async function planPythonEnvironment(name) {
  const environment = environments[name]
  const { title, requirements, withoutDependencies, included = [], disk, download, time } = environment
  const files = [requirements, withoutDependencies, ...included].filter(Boolean)
  const folder = environmentFolder(name)
  const digest = await digestOfContents(files, process.platform)
  if ((await isFresh(`python-${name}`, digest)) && (await exists(pythonOf(folder)))) return undefined
  const python = await findPython()
  await requireSpace(path.dirname(folder), disk + download, title)
  step(
    `${title}: will take ${formatBytes(disk)} of disk in ${path.relative(root, folder)}. About ${formatBytes(download)} ` +
      `are fetched, once; that takes ${time} on a usual connection. Ctrl+C stops it.`,
  )
  return async () => {
    await forget(`python-${name}`)
    await fill(folder, python, environment)
    await markFresh(`python-${name}`, digest)
  }
}
