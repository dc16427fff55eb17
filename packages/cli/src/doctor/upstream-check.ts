import type { ModelStatus } from '@petals-chat/engine'
import { failure, ok, warning, type Check, type CheckResult } from './check.ts'

/** Checks that the servers of models that others run can be used. */
export const upstreamCheck: Check = {
  name: 'Other servers',
  async run({ config }) {
    const entries = config.models.filter((model) => model.engine === 'upstream')
    if (entries.length === 0) return ok('not used: no model is one of another server')
    const { createUpstreamEngine } = await import('@petals-chat/upstream')
    await using engine = createUpstreamEngine()
    const added = entries.map((entry) => ({ id: entry.id, added: engine.add(entry) }))
    await engine.looked()
    const states = added.map(async ({ id, added }) => {
      const [first] = 'spec' in added ? [added] : added.models()
      return { id, status: await first!.loaded!.status() }
    })
    return describeServers(await Promise.all(states))
  },
}

interface Entry {
  readonly id: string
  readonly status: ModelStatus
}

export function describeServers(entries: readonly Entry[]): CheckResult {
  const told = (state: ModelStatus['state']) =>
    entries
      .filter(({ status }) => status.state === state)
      .map(({ id, status: { detail = state } }) => `${id}: ${detail}`)
  const lost = told('unavailable')
  if (lost.length > 0) return failure("the server of a model can't be used", lost.join('\n'))
  const weak = told('degraded')
  if (weak.length > 0) return warning('not all is well with the server of a model', weak.join('\n'))
  return ok(`the servers of ${entries.map(({ id }) => id).join(', ')} answer`)
}
