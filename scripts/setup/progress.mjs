import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { noReports } from './no-reports.mjs'

export const root = path.resolve(fileURLToPath(new URL('../..', import.meta.url)))

/** A failure whose message says what to do. It is printed without a stack trace. */
export class SetupError extends Error {}

export const elapsedSince = (started) => {
  const seconds = (Date.now() - started) / 1000
  return seconds < 100
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/** Returns the command that the user ran, for messages: `npm start`, `npm test`, `npm run demo`. */
export function invokedAs() {
  const script = process.env.npm_lifecycle_event
  if (!script || script === 'npx') return 'the command'
  return script === 'start' || script === 'test' ? `npm ${script}` : `npm run ${script}`
}

/** Prints a line. */
export const step = (text) => process.stderr.write(`▸ ${text}\n`)

/**
 * Shows the progress of long work: on a terminal in one line that is rewritten, elsewhere with a line every 15 seconds.
 * `detail()` returns the current progress. The result is a function that ends the display with an outcome.
 */
export function startProgress(title, detail = () => '') {
  const started = Date.now()
  const terminal = process.stderr.isTTY === true
  if (!terminal) step(`${title} …`)
  const line = () => `${title} … ${detail()} ${elapsedSince(started)}`.replace(/ +/g, ' ')
  const timer = setInterval(
    () => process.stderr.write(terminal ? `\r\x1b[2K▸ ${line()}` : `  ${line()}\n`),
    terminal ? 250 : 15_000,
  )
  return (outcome) => {
    clearInterval(timer)
    if (terminal) process.stderr.write('\r\x1b[2K')
    step(`${title}: ${outcome} in ${elapsedSince(started)}`)
  }
}

/** The programs that are running: they end with this process. */
const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill()
})

/** Runs a program without a shell. Its output is part of the error if it fails. @throws SetupError */
export function run(command, args, options = {}) {
  const { onOutput, allowFailure = false, ...spawnOptions } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...spawnOptions,
      env: { ...process.env, ...noReports, ...spawnOptions.env },
    })
    running.add(child)
    child.on('exit', () => running.delete(child))
    let output = ''
    const collect = (chunk) => {
      output = (output + chunk).slice(-20_000)
      onOutput?.(String(chunk))
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', (error) => {
      running.delete(child)
      if (allowFailure) resolve({ code: -1, output: String(error) })
      else reject(error)
    })
    child.on('close', (code) => {
      if (code === 0 || allowFailure) resolve({ code, output })
      else
        reject(
          new SetupError(
            `\`${[command, ...args].join(' ')}\` ended with exit code ${code}:\n${output.trim()}`,
          ),
        )
    })
  })
}
