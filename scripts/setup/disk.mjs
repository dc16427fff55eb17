import fs from 'node:fs/promises'
import path from 'node:path'
import { SetupError, invokedAs } from './progress.mjs'

export const formatBytes = (bytes) =>
  bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`

/** Returns the free bytes on the disk of a folder; undefined before Node 18.15, which has no function for it. */
export async function freeBytes(folder) {
  if (fs.statfs === undefined) return undefined
  await fs.mkdir(folder, { recursive: true })
  const { bavail, bsize } = await fs.statfs(folder)
  return bavail * bsize
}

/** Checks that a disk has enough free space. @throws SetupError if less than `bytes` are free */
export async function requireSpace(folder, bytes, what) {
  const free = await freeBytes(folder)
  if (free === undefined || free >= bytes) return
  throw new SetupError(
    `The set-up of "${what}" needs ${formatBytes(bytes)} of free disk space, but only ${formatBytes(free)} are free at ${folder}. ` +
      `Free some space, then run ${invokedAs()} again.`,
  )
}

/** Returns the bytes of all files below a folder. Files may appear and vanish meanwhile. */
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
