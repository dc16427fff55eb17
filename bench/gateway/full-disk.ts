import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { startPetalsChat } from '../../tests/e2e/support/petals-chat.ts'
import { testCacheHome } from '../../tests/support/model.ts'
import type { Finding } from './attacks.ts'

const run = promisify(execFile)
const attack = 'G3: a full disk for all that the server writes, and a cache that is read-only'

/** A folder on a full disk of 4 MB, and the model cache without the right to write; both mounted until disposed. */
async function mountDisks(): Promise<AsyncDisposable & { readonly full: string; readonly cache: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-disks-'))
  const [full, cache] = [path.join(folder, 'full'), path.join(folder, 'cache')]
  for (const place of [full, cache]) await mkdir(place)
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', full])
  await run('mount', ['--bind', testCacheHome, cache])
  await run('mount', ['-o', 'remount,ro,bind', cache])
  await writeFile(path.join(full, 'filler'), Buffer.alloc(8 * 1024 * 1024)).catch(() => {})
  return {
    full,
    cache,
    async [Symbol.asyncDispose]() {
      for (const place of [full, cache]) await run('umount', [place])
      await rm(folder, { recursive: true })
    },
  }
}

/** Starts a server that can write nothing, and chats with it. Mounting needs root: undefined without it. */
export async function fullDisk(isAnswered: (url: string) => Promise<boolean>): Promise<Finding | undefined> {
  if (process.getuid?.() !== 0) {
    console.error(`Left out, because only root can mount disks: ${attack}`)
    return undefined
  }
  await using disks = await mountDisks()
  await using server = await startPetalsChat({
    cwd: disks.full,
    env: { HOME: disks.full, TMPDIR: disks.full, XDG_CACHE_HOME: disks.cache, PETALS_CHAT_OFFLINE: '1' },
  })
  const holds = await isAnswered(server.url)
  return { attack, holds, figures: {} }
}
