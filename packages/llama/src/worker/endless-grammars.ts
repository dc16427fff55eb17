import { createHash } from 'node:crypto'
import { InvalidRequestError } from '@petals-chat/engine'

/** How many grammars are remembered. */
const MAX_GRAMMARS = 100

/** The grammars that hung a process of this model lately: each of them costs a process only once. */
export class EndlessGrammars {
  readonly #choiceTimeoutMs: number
  /** Hashes, because grammars may be long. The oldest comes first. */
  readonly #hashes = new Set<string>()

  constructor(choiceTimeoutMs: number) {
    this.#choiceTimeoutMs = choiceTimeoutMs
  }

  add(source: string): void {
    this.#hashes.add(hash(source))
    if (this.#hashes.size > MAX_GRAMMARS) this.#hashes.delete(this.#hashes.values().next().value!)
  }

  /** @throws InvalidRequestError for a grammar that has hung a process before. */
  check(source: string | undefined): void {
    if (source === undefined || this.#hashes.size === 0) return
    if (this.#hashes.has(hash(source))) throw this.error()
  }

  /** The error for the client that sent the grammar. */
  error(): InvalidRequestError {
    return new InvalidRequestError(
      `The grammar of the answer (a JSON schema, a tool or a pattern) is too complex: choosing one token took over ` +
        `${this.#choiceTimeoutMs} ms (llama.choiceTimeoutMs). Simplify it, above all nested or long repetitions of optional parts.`,
      { param: 'grammar' },
    )
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
