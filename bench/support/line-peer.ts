import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { endsWithUs } from '../../swarm/process-group.ts'

/** A peer that hangs must not block the benchmark for ever. */
const answerTimeoutMs = 120_000

/** A program that answers each JSON line on its standard input with one on its standard output. */
export interface LinePeer extends AsyncDisposable {
  /** The process group of the program and its child processes, for their CPU time. */
  readonly group: number
  /** The first line, which it prints when it is ready. */
  readonly ready: unknown
  ask(request: object): Promise<unknown>
}

export async function startLinePeer(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<LinePeer> {
  const child = spawn(command, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk).slice(-4000)))
  const group = endsWithUs(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${command} ${args.join(' ')} ended:\n${errors}`)
    return JSON.parse(value) as unknown
  }
  const ready = await next()
  return {
    group: child.pid!,
    ready,
    ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const tooLate = async (): Promise<never> => {
        await delay(answerTimeoutMs, undefined, { ref: false })
        throw new Error(`${command} ${args.join(' ')} has not answered for ${answerTimeoutMs} ms:\n${errors}`)
      }
      return Promise.race([next(), tooLate()])
    },
    async [Symbol.asyncDispose]() {
      group[Symbol.dispose]()
    },
  }
}
