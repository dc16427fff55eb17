import { execFile } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Unbuilt sources run under this export condition, which the child process needs, too. */
const runsFromSource = import.meta.url.endsWith('.ts')
const entry = fileURLToPath(new URL(`cpu-features-child.${runsFromSource ? 'ts' : 'js'}`, import.meta.url))
const execArgv = runsFromSource ? ['--conditions=petals-chat-source'] : []

/** Loading the libraries takes a tenth of a second. */
const TIMEOUT_MS = 30_000

/**
 * Loads llama.cpp's libraries in a process of its own, as models do, and tells for which sets of instructions the kernels are
 * that it chooses for this processor: `AVX2`, `NEON` ….
 * @param folder of the libraries
 * @param environment of the process
 * @throws Error if they can't be used here
 */
export async function readCpuFeatures(
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [...execArgv, entry, folder], {
    env: environment,
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  return JSON.parse(stdout) as readonly string[]
}
