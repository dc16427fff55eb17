import { parseArgs } from 'node:util'
import { swarmModels } from './models.ts'
import type { SwarmOptions } from './swarm.ts'

/** What `npm run swarm` and `npm run demo` take, for their help. */
export const swarmFlags = `  --model NAME             ${swarmModels.map((each) => each.name).join(', ')} (default: the first)
  --blocks-per-server N    blocks that each server holds (default: half of the model)
  --replicas N             servers for each span (default 1)
  --port N                 TCP port of the first server (default 31337)
  --cache-tokens N         KV cache of each block in tokens (default 16384)
  --dtype T                float32 or bfloat16 (default float32)
  --round-trip MS          put a relay in front of every server that makes the link this long
  --behind-nat             only the circuit relay of the first server leads to the others
  --server-args "…"        further arguments of Petals' run_server, for example "--session_timeout 60"
`

const count = (name: string, text: string): number => {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`--${name} takes a whole number above 0, not '${text}'.`)
}

/** The flags of a command line, or undefined if it asks for help. @throws Error in words */
export function parseSwarmFlags(): SwarmOptions | undefined {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: swarmModels[0]?.name ?? '' },
      'blocks-per-server': { type: 'string' },
      replicas: { type: 'string', default: '1' },
      port: { type: 'string', default: '31337' },
      'cache-tokens': { type: 'string', default: '16384' },
      dtype: { type: 'string', default: 'float32' },
      'round-trip': { type: 'string' },
      'behind-nat': { type: 'boolean', default: false },
      'server-args': { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { dtype } = values
  if (dtype !== 'float32' && dtype !== 'bfloat16') {
    throw new Error(`--dtype takes float32 or bfloat16, not '${dtype}'.`)
  }
  const blocks = values['blocks-per-server']
  const roundTrip = values['round-trip']
  return {
    model: values.model,
    ...(blocks === undefined ? {} : { blocksPerServer: count('blocks-per-server', blocks) }),
    ...(roundTrip === undefined ? {} : { relay: { latencyMs: count('round-trip', roundTrip) / 2 } }),
    replicas: count('replicas', values.replicas),
    port: count('port', values.port),
    cacheTokens: count('cache-tokens', values['cache-tokens']),
    dtype,
    behindNat: values['behind-nat'],
    extra: values['server-args'].split(' ').filter(Boolean),
  }
}
