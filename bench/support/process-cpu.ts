import { readdir, readFile } from 'node:fs/promises'

/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const ticksPerSecond = 100

/** Returns the CPU seconds, user and system, of all running processes of a group. Linux only. */
export async function groupCpuSeconds(group: number): Promise<number> {
  let ticks = 0
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    // The command's name may contain spaces: fields are counted from its closing bracket.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / ticksPerSecond
}

/** Returns the resident memory, in bytes, of all running processes of a group. */
export async function groupResidentBytes(group: number): Promise<number> {
  let bytes = 0
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    if (Number(fields[2]) === group) bytes += Number(fields[21]) * 4096
  }
  return bytes
}

/** Returns the memory of a group in bytes, in which a page that processes share counts once (PSS). Linux only. */
export async function groupProportionalBytes(group: number): Promise<number> {
  let bytes = 0
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    if (Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2]) !== group) continue
    const rollup = await readFile(`/proc/${name}/smaps_rollup`, 'utf8').catch(() => '')
    bytes += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024
  }
  return bytes
}

/** Returns the CPU seconds, user and system, of one process. Linux only. */
export async function processCpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Returns the resident memory of one process in bytes. Linux only. */
export async function processResidentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/statm`, 'utf8')
  return Number(text.split(' ')[1]) * 4096
}
