import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const owner = fileURLToPath(new URL('support/swarm-owner.ts', import.meta.url))

/** Any process of the group is left. */
function isAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}

// Nobody tidies up after a process that is killed: the servers have to notice.
it.each(['SIGTERM', 'SIGKILL'] as const)(
  'servers end with the process that started them, ended by %s',
  async (signal) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'petals-swarm-owner-'))
    const parent = spawn(process.execPath, ['--conditions=petals-chat-source', owner, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
      const group = Number(line)
      expect(isAlive(group)).toBe(true)
      // One that is stopped as well.
      if (signal === 'SIGKILL') process.kill(-group, 'SIGSTOP')
      parent.kill(signal)
      await expect.poll(() => isAlive(group), { timeout: 5000 }).toBe(false)
    } finally {
      parent.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    }
  },
  200_000,
)
