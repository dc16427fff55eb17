import path from 'node:path'
import type { TokenId } from '@petals-chat/engine'
import { python, rootFolder } from '../../../swarm/paths.ts'
import { run } from '../../../swarm/run.ts'

export interface ChainRequest {
  /** Folder. */
  readonly model: string
  readonly dhtPrefix: string
  readonly initialPeers: readonly string[]
  /** Peer ids of the servers that may be used, for each client. */
  readonly chains: readonly (readonly string[])[]
  readonly prompts: readonly (readonly TokenId[])[]
  readonly newTokens: number
}

export interface ChainAnswers {
  /** The greedy answers of transformers. */
  readonly expected: readonly (readonly TokenId[])[]
  readonly chains: readonly {
    readonly ids: readonly (readonly TokenId[])[]
    readonly route: readonly (readonly [peer: string, start: number, end: number])[]
  }[]
}

/** Answers of Petals' own client on each chain, and those of transformers. */
export const answersOfPython = (request: ChainRequest): Promise<ChainAnswers> =>
  runPetalsClient<ChainAnswers>('mixed_chains.py', request)

/** Runs a script of this folder that uses Petals' own client; it reads the request and writes the result as JSON. */
export async function runPetalsClient<Result>(script: string, request: object): Promise<Result> {
  const file = path.join(rootFolder, 'tests/interop', script)
  const compat = path.join(rootFolder, 'packages/contribute/python')
  const output = await run(python, [file, compat], { input: JSON.stringify(request), timeoutMs: 180_000 })
  return JSON.parse(output) as Result
}
