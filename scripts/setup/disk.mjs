import fs from 'node:fs/promises'
import path from 'node:path'
import { SetupError, invokedAs } from './progress.mjs'

export const formatBytes = (bytes) =>
  bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`

/** What is free on the disk of a folder; undefined where Node is too old to say (before 18.15). */
export async function freeBytes(folder) {
  if (fs.statfs === undefined) return undefined
  await fs.mkdir(folder, { recursive: true })
  const { bavail, bsize } = await fs.statfs(folder)
  return bavail * bsize
}

/** @throws SetupError if there is less room than `bytes`. */
export async function requireSpace(folder, bytes, what) {
  const free = await freeBytes(folder)
  if (free === undefined || free >= bytes) return
  throw new SetupError(
    `${what} need ${formatBytes(bytes)} of free disk while they are set up, and ${formatBytes(free)} are free at ${folder}. ` +
      `Make room, then run ${invokedAs()} again.`,
  )
}

/** Bytes of all files below a folder; files that come and go meanwhile do not matter. */
export async function sizeOf(folder) {
  const entries = await fs.readdir(folder, { withFileTypes: true }).catch(() => [])
  let total = 0
  for (const entry of entries) {
    const place = path.join(folder, entry.name)
    if (entry.isDirectory()) total += await sizeOf(place)
    else if (entry.isFile()) total += (await fs.stat(place).catch(() => ({ size: 0 }))).size
  }
  return total
}
