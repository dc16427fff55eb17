import { createHash, randomUUID } from 'node:crypto'
import type { ModelSpec } from '@petals-chat/engine'

/** Fields that every answer, and every event of a streamed one, begins with. */
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

/** Changes when the same request might be answered in another way: with our version and the model's source. */
function fingerprint({ engine, source, sha256, adapter }: ModelSpec, version: string): string {
  const parts = JSON.stringify([version, engine, source, sha256, adapter])
  return `fp_${createHash('sha256').update(parts).digest('hex').slice(0, 10)}`
}
