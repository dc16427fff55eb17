import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** How soon the end of a parent is noticed, in milliseconds. */
const lookMs = 500

/** Parent and name of a process; undefined where they can't be told. Linux without `ps` (containers) has /proc. */
function describe(pid) {
  try {
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return { parent: Number(parent), name }
  } catch {
    return describeByPs(pid)
  }
}

function describeByPs(pid) {
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
  const { stdout } = spawnSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)], options)
  const [, parent, name] = /^\s*(\d+)\s+(.*)$/m.exec(stdout ?? '') ?? []
  return parent && { parent: Number(parent), name: name.trim() }
}

/** npm behind a shell that it started to run the script in; undefined where npm is the parent itself. */
function processBehindShell(parent) {
  if (process.platform === 'win32') return undefined
  const shell = describe(parent)
  return shell && /(^|[-/])(ba|da|a|z|k)?sh$/.test(shell.name) ? shell.parent : undefined
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/**
 * Calls `onEnd` when npm, which started this script, is gone, however it ended: a signal that it can't pass on would leave
 * the server behind, holding its port. Nothing is watched beyond npm: a shell may end, and leave `npm start &` running.
 */
export function onParentEnd(onEnd) {
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  const behind = processBehindShell(parent)
  const hasEnded = () =>
    process.ppid !== parent || !isAlive(parent) || (behind !== undefined && !isAlive(behind))
  const timer = setInterval(() => {
    if (!hasEnded()) return
    clearInterval(timer)
    onEnd()
  }, lookMs)
  timer.unref()
}
