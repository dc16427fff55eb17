import { readdir, readFile } from 'node:fs/promises'

/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const ticksPerSecond = 100
const pageBytes = 4096

/** The fields of `/proc/PID/stat` from the third one on. */
async function statOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The command's name may contain spaces: fields are counted from its closing bracket.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

const cpuSecondsOf = (stat: readonly string[]): number =>
  (Number(stat[11]) + Number(stat[12])) / ticksPerSecond
const residentBytesOf = (stat: readonly string[]): number => Number(stat[21]) * pageBytes

/** Adds up a figure of all running processes of a group. One that ends meanwhile does not count. */
async function sumOfGroup(
  group: number,
  figureOf: (stat: readonly string[], pid: number) => number | Promise<number>,
): Promise<number> {
  let sum = 0
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const pid = Number(name)
    const stat = await statOf(pid).catch(() => [])
    if (Number(stat[2]) === group) sum += await figureOf(stat, pid)
  }
  return sum
}

/** Returns the CPU seconds, user and system, of all running processes of a group. Linux only. */
export const groupCpuSeconds = (group: number): Promise<number> => sumOfGroup(group, cpuSecondsOf)

/** Returns the resident memory, in bytes, of all running processes of a group. Linux only. */
export const groupResidentBytes = (group: number): Promise<number> => sumOfGroup(group, residentBytesOf)

/** Returns the memory of a group in bytes, in which a page that processes share counts once (PSS). Linux only. */
export const groupProportionalBytes = (group: number): Promise<number> =>
  sumOfGroup(group, (_stat, pid) => processProportionalBytes(pid).catch(() => 0))

/** Returns the CPU seconds, user and system, of one process. Linux only. */
export const processCpuSeconds = async (pid: number): Promise<number> => cpuSecondsOf(await statOf(pid))

/** Returns the resident memory of one process in bytes. Linux only. */
export const processResidentBytes = async (pid: number): Promise<number> => residentBytesOf(await statOf(pid))

/** Returns the memory of one process in bytes, of which a page that it shares counts in part (PSS). Linux only. */
export async function processProportionalBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024
}
