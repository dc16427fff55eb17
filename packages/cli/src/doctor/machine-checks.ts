import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { judgeNode } from '../node-release.ts'
import { formatBytes } from '../terminal/format.ts'
import { failure, ok, warning, type Check, type CheckResult } from './check.ts'

const gigabyte = 1e9

export const nodeCheck: Check = {
  name: 'Node.js',
  run: async () => checkNodeVersion(process.versions.node),
}

/** libp2p needs `Promise.withResolvers` and this code needs `await using`: both are available from 22.12 on. */
export function checkNodeVersion(version: string): CheckResult {
  const found = `Node.js ${version} on ${os.platform()} ${os.arch()}`
  const judged = judgeNode(version)
  switch (judged.state) {
    case 'ok':
      return ok(found)
    case 'unsafe':
      return warning(`${judged.problem} (${os.platform()} ${os.arch()})`, judged.advice)
    case 'refused':
      return failure(found, judged.advice)
  }
}

export const memoryCheck: Check = {
  name: 'Memory',
  run: async () =>
    checkMemory(process.availableMemory(), Math.min(os.totalmem(), process.constrainedMemory() || Infinity)),
}

/** The default model takes about half a gigabyte with its caches; one of 7 billion parameters about five. */
export function checkMemory(available: number, total: number): CheckResult {
  const message = `${formatBytes(available)} of memory free, ${formatBytes(total)} in total`
  if (available < 0.6 * gigabyte)
    return failure(message, 'The default model needs about 600 MB. Close other programs.')
  if (available < 6 * gigabyte)
    return ok(message, 'Enough for small models; a model of 7 billion parameters takes 5 to 8 GB.')
  return ok(message)
}

/** Checks that files can be written to a folder, which need not exist yet, and that there is enough space. */
export async function checkFolder(folder: string, what: string): Promise<CheckResult> {
  const existing = await nearestExisting(folder)
  const obstacle = await findObstacle(existing)
  if (obstacle !== undefined) {
    const advice = 'Set HF_HUB_CACHE (hub.cacheDir) to a folder that you can write to.'
    return failure(`${what} ${folder} can't be written to: ${existing} ${obstacle}`, advice)
  }
  const { bavail, bsize } = await statfs(existing)
  const free = bavail * bsize
  const message = `${what} ${folder}: ${formatBytes(free)} free`
  if (free < 0.2 * gigabyte)
    return failure(
      message,
      'The default model takes 98 MB. Free some space: petals-chat models list, models rm.',
    )
  if (free < 5 * gigabyte) return warning(message, 'Models of 7 billion parameters take 4 to 8 GB each.')
  return ok(message)
}

async function nearestExisting(folder: string): Promise<string> {
  try {
    await access(folder)
    return folder
  } catch {
    const parent = path.dirname(folder)
    return parent === folder ? folder : nearestExisting(parent)
  }
}

async function findObstacle(existing: string): Promise<string | undefined> {
  try {
    await access(existing, constants.W_OK)
  } catch {
    return 'belongs to another user or is read-only'
  }
  return (await stat(existing)).isDirectory() ? undefined : 'is a file'
}
