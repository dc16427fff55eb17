import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Call } from './calls.ts'
import { type ClientEntry, type ClientId, clients, type HeldCall } from './registry.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** `it` of Vitest for tests that hold these calls. */
export type Holds<Held extends Call = Call> = (...held: readonly [Held, ...Held[]]) => typeof it

/**
 * Declares the tests of a client in a file: `const holds = callsOf('ollama-npm', import.meta.url)`, then
 * `holds('chat')('answers', …)` is a test, as by `it`, that holds the call `chat`. One more test fails where those of the file
 * hold other calls than the registry lists, from which the table in `docs/clients.md` is made.
 *
 * @throws Error if the registry does not list the file for this client
 */
export function callsOf<Id extends ClientId>(client: Id, fileUrl: string): Holds<HeldCall<Id>> {
  const entry: ClientEntry = clients[client]
  const file = path.relative(root, fileURLToPath(fileUrl)).replaceAll('\\', '/')
  const listed = entry.heldBy[file]
  if (!listed) throw new Error(`List ${file} for '${client}' in tests/clients/registry.ts.`)
  const all = new Set<Call>()
  it(`holds the calls of ${client} that docs/clients.md shows`, () => {
    expect([...all].toSorted()).toEqual([...listed].toSorted())
  })
  return (...held) => {
    for (const call of held) all.add(call)
    return it
  }
}
