import { ConnectionLostError, ProtocolError } from '../errors.ts'
import { findResultTypes, type FindResponse, type FindResult } from '../wire/dht.ts'

/** Calls to one node for one lookup, at most: its answers together may have a few hundred megabytes. */
const maxCalls = 64

const nothing: FindResult = {
  type: findResultTypes.notFound,
  value: new Uint8Array(0),
  expirationTime: 0,
  nearestNodeIds: [],
  nearestPeerIds: [],
}

export interface PartsOptions {
  /** Keys to ask for at a time, at most: what the last answer has shown; Infinity at first. */
  readonly most: number
  readonly ask: (keyIds: readonly Uint8Array[]) => Promise<FindResponse>
}

export interface FoundInParts {
  /** One for each key. */
  readonly results: readonly FindResult[]
  /** Keys to ask this node for at a time; Infinity if it has answered all of them at once. */
  readonly most: number
}

/**
 * Asks one node for all keys at once, as long as its answer fits into a unary call, which servers drop otherwise; and else
 * for parts of them. Anyone can make records long, so this must not hide the servers of a swarm. A key whose answer
 * does not fit alone counts as not found. @throws the node's error if no part was answered
 */
export async function findInParts(
  keyIds: readonly Uint8Array[],
  { most, ask }: PartsOptions,
): Promise<FoundInParts> {
  let calls = 0
  let longest = 0
  const find = async (part: readonly Uint8Array[]): Promise<readonly FindResult[]> => {
    if (calls++ >= maxCalls) return part.map(() => nothing)
    try {
      const { results } = await ask(part)
      if (results.length !== part.length) throw new Error('The answer does not have one result for each key.')
      longest = Math.max(longest, part.length)
      return results
    } catch (error) {
      if (!mayBeTooLong(error)) throw error
      if (part.length === 1 && longest === 0) throw error
      if (part.length === 1) return [nothing]
      return await findEach(part, Math.ceil(part.length / 2))
    }
  }
  const findEach = async (part: readonly Uint8Array[], size: number): Promise<readonly FindResult[]> => {
    const results: FindResult[] = []
    for (let at = 0; at < part.length; at += size) results.push(...(await find(part.slice(at, at + size))))
    return results
  }
  const results = await findEach(keyIds, Math.max(1, Math.min(most, keyIds.length)))
  return { results, most: longest < keyIds.length ? longest : Infinity }
}

/** A real node ends the call without an answer; the length of another's is seen as soon as it arrives. */
const mayBeTooLong = (error: unknown): boolean =>
  error instanceof ProtocolError || (error instanceof ConnectionLostError && error.clean)
