import { createHash, randomUUID } from 'node:crypto'
import type { ModelSpec } from '@petals-chat/engine'

/** What every answer says of itself, whatever the API. */
export interface AnswerHead {
  /** 32 hex digits; each API puts its own prefix before them. */
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly model: string
  /** Changes with this server's version and the model's entry: then the same request might get another answer. */
  readonly fingerprint: string
}

/** The head of a new answer. `version`: of this server. */
export const answerHead = (spec: ModelSpec, version: string): AnswerHead => ({
  id: randomUUID().replaceAll('-', ''),
  created: Math.floor(Date.now() / 1000),
  model: spec.id,
  fingerprint: fingerprint(spec, version),
})

/** The last fingerprint of each entry: neither an entry nor the version of a server changes. */
const fingerprints = new WeakMap<ModelSpec, { readonly version: string; readonly text: string }>()

function fingerprint(spec: ModelSpec, version: string): string {
  const known = fingerprints.get(spec)
  if (known?.version === version) return known.text
  const parts = JSON.stringify([version, spec])
  const text = `fp_${createHash('sha256').update(parts).digest('hex').slice(0, 10)}`
  fingerprints.set(spec, { version, text })
  return text
}
