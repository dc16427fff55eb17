import { type Container, program } from './container.ts'
import { ask, isReady } from './questions.ts'

/** Tries what the image promises; returns what did not hold. `health`: the command of its health check. */
export async function checkContainer(
  container: Container,
  health: readonly string[],
): Promise<readonly string[]> {
  const failures: string[] = []
  const expectOf = (what: string, isRight: boolean, seen: string): void => {
    console.log(`${isRight ? 'ok' : 'FAILED'}: ${what}: ${seen.slice(0, 200)}`)
    if (!isRight) failures.push(what)
  }
  await container.until(health)
  expectOf('the health check of the image', true, health.slice(0, 2).join(' '))
  const identity = container.exec('id').output
  expectOf('runs as its own user', identity.includes('uid=10001'), identity)
  const rights = container.exec('grep', '-E', 'CapEff|CapBnd|NoNewPrivs', '/proc/1/status').output
  expectOf('has no capabilities', /CapBnd:\s0+\s[^]*NoNewPrivs:\s1/.test(rights), rights.replace(/\s+/g, ' '))
  for (const place of ['/app/x', '/usr/local/bin/x', '/etc/x']) {
    const { code, output } = container.exec('touch', place)
    expectOf(`can't write ${place}`, code !== 0, output)
  }
  const key = container.exec(...program, 'keys', 'create', 'lab').stdout
  expectOf('makes a key', /^sk-petals-\S+$/.test(key), key.slice(0, 12))
  await container.until(['node', '-e', isReady])
  const answer = container.exec('node', '-e', ask, key).output
  expectOf('answers with the key', answer.startsWith('200 '), answer)
  const refused = container.exec('node', '-e', ask, 'wrong').output
  expectOf('refuses another key', refused.startsWith('401 '), refused)
  const copy = container.exec(...program, 'keys', 'backup', '/var/lib/petals-chat/copy.sqlite')
  expectOf('copies its keys while it runs', copy.code === 0, copy.output)
  expectOf('writes no error into its log', !/"level":"(error|fatal)"/.test(container.log()), 'its log')
  const code = container.stop()
  expectOf('ends by itself when it is stopped', code === 0, `exit code ${code}`)
  return failures
}
