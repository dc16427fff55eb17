import type { KeyStore } from '@petals-chat/access'
import { asksForKeys } from '@petals-chat/gateway/config'
import type { Config } from '../config/schema.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { printSecret } from './describe-key.ts'

/**
 * Helps an operator whose server asks for keys and has none. On a terminal, makes the first one and prints it once. Output
 * that is no terminal is kept in logs, where a key must not stand: it gets the command that makes one.
 */
export function provideFirstKey(
  terminal: Terminal,
  keys: Pick<KeyStore, 'hasKeys' | 'create'>,
  server: Config['server'],
): void {
  if (keys.hasKeys || !asksForKeys(server, keys)) return
  const { host } = server
  if (!terminal.isInteractive) {
    terminal.note(
      `Clients of ${host} need an API key, and there is none yet. Make one with: petals-chat keys create NAME ` +
        '(as the same user, with the same configuration). It counts at once.',
    )
    return
  }
  terminal.note(`Clients of ${host} need an API key (server.access), so here is the first one.`)
  printSecret(terminal, keys.create({ name: 'first' }))
  terminal.note('More keys: petals-chat keys create NAME. Without keys: --insecure-public.')
}
