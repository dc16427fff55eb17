import { spawn } from 'node:child_process'
import { childEnvironment, endWithThisProcess } from '@petals-chat/engine'

export interface RunProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  readonly onOutput?: ((text: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

export interface ProgramResult {
  /** -1 if the program could not be started. */
  readonly code: number
  /** The last characters of its standard output and standard error. */
  readonly output: string
}

const keptCharacters = 20_000

/** Runs a program to its end. Rejects only with the reason of `signal`; a failure of the program is in the result. */
export function runProgram(
  command: string,
  args: readonly string[],
  { env, onOutput, signal, timeoutMs }: RunProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...childEnvironment(process.env, { usesNetwork: true }), ...env },
    })
    endWithThisProcess(child)
    // Not spawn's own timeout, which keeps this process alive if the program could not be started.
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + String(chunk)).slice(-keptCharacters)
      onOutput?.(String(chunk))
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    const abort = (): void => void child.kill('SIGTERM')
    signal?.addEventListener('abort', abort, { once: true })
    const settle = (code: number, text: string): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      if (signal?.aborted === true) reject(signal.reason as Error)
      else resolve({ code, output: text })
    }
    child.once('error', (error) => settle(-1, `${command}: ${error.message}`))
    child.once('close', (code) => settle(code ?? -1, output))
  })
}
