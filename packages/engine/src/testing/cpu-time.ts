/**
 * Returns the CPU time of this process so far, milliseconds. Unlike the time that passes, what something takes of it hardly grows
 * with what else a machine does.
 */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
