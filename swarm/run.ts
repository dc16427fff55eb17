import { spawn } from 'node:child_process'
import { endGroup, endsWithUs } from './process-group.ts'

export interface RunOptions {
  readonly cwd?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** A program that runs longer is ended. Default: 5 minutes. */
  readonly timeoutMs?: number
}

/**
 * Runs a program to its end and resolves to its standard output. Processes that it leaves behind are ended.
 * @throws Error with its error output if it fails, or does not end in time
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { timeoutMs = 300_000, input = '' } = options
  const line = `${command} ${args.join(' ')}`
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    const group = endsWithUs(child)
    const output: Buffer[] = []
    let errors = ''
    let how = ''
    const timer = setTimeout(() => {
      how = `did not end within ${timeoutMs / 1000} s`
      endGroup(child)
    }, timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk).slice(-8000)))
    child.stdin.on('error', () => {}) // a program that ends without reading, which `close` reports
    child.on('error', (error) => {
      clearTimeout(timer)
      group[Symbol.dispose]()
      reject(error)
    })
    // A process that is left behind keeps the pipes open: without this, `close` would never come.
    child.on('exit', () => endGroup(child))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      group[Symbol.dispose]()
      if (code === 0) return resolve(Buffer.concat(output).toString())
      how ||= code === null ? `was ended by ${signal}` : `ended with exit code ${code}`
      reject(new Error(`${line} ${how}:\n${errors}`))
    })
    child.stdin.end(input)
  })
}
