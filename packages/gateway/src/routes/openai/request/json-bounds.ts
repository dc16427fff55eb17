import { InvalidRequestError } from '@petals-chat/engine'

/** JSON schemas of real tools are far below; what is above would only keep a grammar's compiler busy, or end its stack. */
const maxDepth = 64
const maxNodes = 10_000

/** Checks JSON that is handed on as it is. @throws InvalidRequestError if it is too large, or made to harm who copies it. */
export function checkJson(json: unknown, param: string): void {
  let nodes = 0
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null) return
    if (depth > maxDepth) throw refused(`it has more than ${maxDepth} levels`, param)
    if (++nodes > maxNodes) throw refused(`it has more than ${maxNodes} objects and lists`, param)
    if (Object.hasOwn(value, '__proto__')) throw refused('"__proto__" is no name for a property', param)
    for (const child of Object.values(value)) visit(child, depth + 1)
  }
  visit(json, 0)
}

const refused = (problem: string, param: string): InvalidRequestError =>
  new InvalidRequestError(`Invalid '${param}': ${problem}.`, { param, reason: 'invalid_value' })
