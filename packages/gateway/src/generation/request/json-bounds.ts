import { InvalidRequestError } from '@petals-chat/engine'

/** Real JSON schemas stay far below these limits; larger ones only keep a grammar compiler busy or overflow its stack. */
const maxDepth = 64
const maxNodes = 10_000

/** Checks JSON that is passed on unchanged. @throws InvalidRequestError if it is too large, or would pollute a prototype. */
export function checkJson(json: unknown, param: string): void {
  let nodes = 0
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null) return
    if (depth > maxDepth) throw refused(`it has more than ${maxDepth} levels`, param)
    if (++nodes > maxNodes) throw refused(`it has more than ${maxNodes} objects and lists`, param)
    if (Object.hasOwn(value, '__proto__'))
      throw refused('"__proto__" is not allowed as the name of a property', param)
    for (const child of Object.values(value)) visit(child, depth + 1)
  }
  visit(json, 0)
}

const refused = (problem: string, param: string): InvalidRequestError =>
  new InvalidRequestError(`Invalid '${param}': ${problem}.`, { param, reason: 'invalid_value' })
