import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The interval at which the parent is checked, in milliseconds. */
const checkMs = 500

/** Returns the parent and the name of a process; undefined if unknown. Linux without `ps` (containers) has /proc. */
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

/** Returns the parent of the shell in which npm runs the script; undefined if there is no shell and npm is the parent. */
function parentOfShell(parent) {
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
 * Calls `onEnd` when npm, which started this script, has ended for any reason: after a signal that npm can't forward, the
 * server would otherwise keep running and hold its port. Only npm is watched: `npm start &` may outlive its shell.
 */
export function onParentEnd(onEnd) {
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  const npm = parentOfShell(parent)
  const hasEnded = () => process.ppid !== parent || !isAlive(parent) || (npm !== undefined && !isAlive(npm))
  const timer = setInterval(() => {
    if (!hasEnded()) return
    clearInterval(timer)
    onEnd()
  }, checkMs)
  timer.unref()
}
