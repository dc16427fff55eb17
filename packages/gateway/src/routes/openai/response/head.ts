import { createHash, randomUUID } from 'node:crypto'
import type { ModelSpec } from '@petals-chat/engine'

/** The first fields of every answer, and of every event of a streamed answer. */
export interface ResponseHead {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
}

export function responseHead(
  idPrefix: 'chatcmpl' | 'cmpl' | 'embd',
  spec: ModelSpec,
  version: string,
): ResponseHead {
  return {
    id: `${idPrefix}-${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: spec.id,
    system_fingerprint: fingerprint(spec, version),
  }
}

/** Changes with this server's version and the model's entry: then the same request might get another answer. */
function fingerprint(spec: ModelSpec, version: string): string {
  const parts = JSON.stringify([version, spec])
  return `fp_${createHash('sha256').update(parts).digest('hex').slice(0, 10)}`
}
