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
export async function answersOfPython(request: ChainRequest): Promise<ChainAnswers> {
  const script = path.join(rootFolder, 'tests/interop/mixed_chains.py')
  const compat = path.join(rootFolder, 'packages/contribute/python')
  const output = await run(python, [script, compat], { input: JSON.stringify(request), timeoutMs: 180_000 })
  return JSON.parse(output) as ChainAnswers
}
