import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const owner = fileURLToPath(new URL('support/swarm-owner.ts', import.meta.url))

/** Reports whether any process of the group is left. */
function isAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}

interface Owner {
  readonly parent: ChildProcess
  readonly group: number
}

/** Ways in which a process that started servers can end without a chance to stop them. */
const ends: Readonly<Record<string, (owner: Owner) => void>> = {
  'ended by a signal': ({ parent }) => parent.kill('SIGTERM'),
  'killed while its servers were stopped': ({ parent, group }) => {
    process.kill(-group, 'SIGSTOP')
    parent.kill('SIGKILL')
  },
  'a worker of vitest, which is gone': ({ parent }) => parent.disconnect(),
}

it.each(Object.entries(ends))('servers end with the process that started them: %s', async (_, end) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-swarm-owner-'))
  const parent = fork(owner, [folder], {
    execArgv: ['--conditions=petals-chat-source'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  try {
    const [line] = (await once(parent.stdout!.setEncoding('utf8'), 'data')) as [string]
    const group = Number(line)
    expect(isAlive(group)).toBe(true)
    end({ parent, group })
    await expect.poll(() => isAlive(group)).toBe(false)
  } finally {
    parent.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
})
