import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ContributeError } from '../contribute-error.ts'
import { freeDiskBytes } from '../machine/machine.ts'
import { InstallWatch } from './install-watch.ts'
import { lock } from './lock.ts'
import { noReports } from './no-reports.ts'
import type { EnvironmentPlan, InstallStep, Torch } from './plan.ts'
import { pythonOf } from './python.ts'
import { runProgram } from './run-program.ts'

/** The Python files of this package, beside `src` and `dist`: requirements and programs. */
export const pythonFolder = fileURLToPath(new URL('../../python/', import.meta.url))

/** Reports the current step, often enough for a progress display. */
export type OnProgress = (title: string, detail: string) => void

export interface MakeOptions {
  readonly onProgress: OnProgress
  readonly signal?: AbortSignal | undefined
}

const stampOf = (folder: string): string => path.join(folder, '.petals-chat')
const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  )

/** Changes whenever a pinned version changes. */
async function digestOf(torch: Torch): Promise<string> {
  const hash = createHash('sha256').update(torch)
  for (const name of ['requirements.txt', 'requirements-no-deps.txt'])
    hash.update(await readFile(path.join(pythonFolder, name)))
  return hash.digest('hex')
}

/** Reports whether the folder has an environment that was made from the current requirements. */
export async function isReady(folder: string, torch: Torch): Promise<boolean> {
  const stamp = await readFile(stampOf(folder), 'utf8').catch(() => '')
  return stamp === (await digestOf(torch)) && (await exists(pythonOf(folder)))
}

const listVersions = `
import importlib.metadata as m
for name in ("petals", "hivemind", "torch", "transformers"):
    try: print(name, m.version(name))
    except m.PackageNotFoundError: print(name, "missing")
`

/** Checks an environment that the user named. It is never changed. @throws ContributeError if a server can't use it */
export async function checkEnvironment(folder: string): Promise<void> {
  const python = pythonOf(folder)
  const wrong = (what: string): never => {
    throw new ContributeError(
      `The Python environment ${folder} can't be used: ${what}. Omit --environment to make one, or name a folder that does not exist yet to make it there.`,
    )
  }
  if (!(await exists(python))) wrong(`it has no ${path.relative(folder, python)}`)
  const { code, output } = await runProgram(python, ['-c', listVersions], { timeoutMs: 60_000 })
  if (code !== 0) wrong(`its Python does not run (${output.trim().split('\n').at(-1) ?? ''})`)
  const versions = new Map(output.split('\n').map((line) => line.trim().split(' ') as [string, string]))
  for (const [name, pinned] of Object.entries(await pinnedVersions())) {
    const found = versions.get(name)?.split('+')[0]
    if (found !== pinned) wrong(`it has ${name} ${found ?? 'missing'}, and ${pinned} is needed`)
  }
}

async function pinnedVersions(): Promise<Readonly<Record<string, string>>> {
  const texts = ['requirements.txt', 'requirements-no-deps.txt'].map((name) =>
    readFile(path.join(pythonFolder, name), 'utf8'),
  )
  const pins = (await Promise.all(texts))
    .join('\n')
    .matchAll(/^(petals|hivemind|torch|transformers)==(\S+)$/gm)
  return Object.fromEntries([...pins].map(([, name, version]) => [name, version]))
}

/** Runs the steps of a plan. A second process that needs the same environment waits for the first. @throws ContributeError */
export async function makeEnvironment(plan: EnvironmentPlan, options: MakeOptions): Promise<void> {
  await requireSpace(plan, plan.diskBytes)
  const { onProgress, signal } = options
  const release = await lock(`${plan.folder}.lock`, {
    onWait: () => onProgress('Waiting for another process', 'which is making the same Python environment'),
    signal,
  })
  try {
    if (await isReady(plan.folder, plan.torch)) return
    // Removes the remains of a failed attempt, which not every version of uv replaces.
    await rm(plan.folder, { recursive: true, force: true })
    await runSteps(plan, options)
    await writeFile(stampOf(plan.folder), await digestOf(plan.torch))
  } finally {
    await release()
  }
}

async function requireSpace({ folder, downloadBytes }: EnvironmentPlan, bytes: number): Promise<void> {
  const free = await freeDiskBytes(folder)
  const needed = bytes + downloadBytes
  if (free === undefined || free >= needed) return
  const inGigabytes = (count: number): string => `${(count / 1e9).toFixed(1)} GB`
  throw new ContributeError(
    `The Python environment needs ${inGigabytes(needed)} of disk space while it is made, but only ${inGigabytes(free)} are free at ${folder}. Free some space, or name another folder with --environment FOLDER.`,
  )
}

async function runSteps(plan: EnvironmentPlan, options: MakeOptions): Promise<void> {
  const { folder, steps, diskBytes, fullBytes } = plan
  // On the same disk, because a small /tmp can't hold the unpacked files.
  const downloads = `${folder}.downloads`
  await mkdir(downloads, { recursive: true })
  const watch = new InstallWatch({ environment: folder, downloads, expectedBytes: diskBytes })
  try {
    for (const step of steps) {
      if (await runStep(step, downloads, watch, options)) continue
      options.onProgress(`${step.title} failed: the larger build is installed instead`, '')
      watch.expectedBytes = fullBytes ?? diskBytes
      await requireSpace(plan, watch.expectedBytes)
    }
  } finally {
    watch[Symbol.dispose]()
    await rm(downloads, { recursive: true, force: true })
  }
}

/** Returns false if an optional step failed. @throws ContributeError if another step failed */
async function runStep(
  { title, command, args, optional = false }: InstallStep,
  downloads: string,
  watch: InstallWatch,
  { onProgress, signal }: MakeOptions,
): Promise<boolean> {
  const timer = setInterval(() => onProgress(title, watch.detail()), 250)
  onProgress(title, '')
  const { code, output } = await runProgram(command, args, {
    env: { ...noReports, TMPDIR: downloads },
    onOutput: (text) => watch.read(text),
    signal,
  }).finally(() => clearInterval(timer))
  if (code !== 0 && !optional) throw new ContributeError(describeFailure(title, command, args, output))
  return code === 0
}

function describeFailure(title: string, command: string, args: readonly string[], output: string): string {
  const last = output.trim().split('\n').slice(-6).join('\n  ')
  const advice = /No space left/i.test(output)
    ? 'The disk is full: free some space.'
    : /resolve host|name resolution|Connection|timed out|Network|NewConnectionError|No matching distribution/i.test(
          output,
        )
      ? 'Check the network connection, and the proxy or mirror settings of pip or uv. Downloaded files are kept.'
      : 'Its output is below.'
  return `${title} failed. ${advice} Then run the command again.\n  ${[path.basename(command), ...args].join(' ')}\n  ${last}`
}
