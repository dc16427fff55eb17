import { InvalidRequestError } from '@petals-chat/engine'

/** Deeper than any real request, and far below the depth at which a recursive function exhausts the stack. */
const MAX_DEPTH = 128

/**
 * The greatest number of values that are not token ids. A dialogue of 10,000 messages has 30,000 values. Checking this many
 * takes a fraction of a second even if every one of them is invalid.
 */
const MAX_VALUES = 50_000

/** Parses JSON. @throws SyntaxError; InvalidRequestError if checking the value would keep this process busy. */
export function parseRequestJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  let values = 0
  const visit = (child: unknown, depth: number, inTokens: boolean): void => {
    if (inTokens && isTokenId(child)) return
    if (++values > MAX_VALUES) throw refused(`it has more than ${MAX_VALUES} values`)
    if (typeof child !== 'object' || child === null) return
    if (depth === MAX_DEPTH) throw refused(`it is nested more than ${MAX_DEPTH} levels deep`)
    if (Array.isArray(child)) for (const item of child) visit(item, depth + 1, inTokens)
    else
      for (const [key, item] of Object.entries(child))
        visit(item, depth + 1, depth === 0 ? TOKEN_FIELDS.has(key) : inTokens)
  }
  visit(value, 0, false)
  return value
}

/** Fields that may be as long as the body, because their lists are checked quickly. */
const TOKEN_FIELDS: ReadonlySet<string> = new Set(['prompt', 'input', 'tokens', 'context'])

const isTokenId = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0

const refused = (problem: string): InvalidRequestError =>
  new InvalidRequestError(`The request body can't be accepted: ${problem}.`, { reason: 'invalid_json' })
