// npm run swarm [-- --model NAME --blocks-per-server N --replicas N --port N --cache-tokens N --dtype T --server-args "…"]
import { parseArgs } from 'node:util'
import { swarmModels } from './models.ts'
import { startSwarm } from './swarm.ts'

const help = `Starts a private Petals swarm on this machine, from the Python packages, and prints how to chat with it.

  --model NAME             ${swarmModels.map((each) => each.name).join(', ')} (default: the first)
  --blocks-per-server N    blocks that each server holds (default: half of the model)
  --replicas N             servers for each span (default 1)
  --port N                 TCP port of the first server (default 31337)
  --cache-tokens N         KV cache of each block in tokens (default 16384)
  --dtype T                float32 or bfloat16 (default float32)
  --server-args "…"        further arguments of Petals' run_server, for example "--session_timeout 60"
`

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: swarmModels[0]?.name ?? '' },
    'blocks-per-server': { type: 'string' },
    replicas: { type: 'string', default: '1' },
    port: { type: 'string', default: '31337' },
    'cache-tokens': { type: 'string', default: '16384' },
    dtype: { type: 'string', default: 'float32' },
    'server-args': { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  process.stdout.write(help)
  process.exit(0)
}

const count = (name: string, text: string): number => {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`--${name} takes a whole number above 0, not '${text}'.`)
}

try {
  const started = Date.now()
  const swarm = await startSwarm({
    model: values.model,
    ...(values['blocks-per-server'] === undefined
      ? {}
      : { blocksPerServer: count('blocks-per-server', values['blocks-per-server']) }),
    replicas: count('replicas', values.replicas),
    port: count('port', values.port),
    cacheTokens: count('cache-tokens', values['cache-tokens']),
    dtype: values.dtype === 'bfloat16' ? 'bfloat16' : 'float32',
    extra: values['server-args'].split(' ').filter(Boolean),
    onProgress: (text) =>
      process.stderr.write(`▸ ${text} (${((Date.now() - started) / 1000).toFixed(0)} s)\n`),
  })
  process.stdout.write(`
The swarm is up. Chat with it from another terminal:

  npm start -- --swarm ${swarm.initialPeers.join(',')} --model petals:${swarm.modelFolder} --dht-prefix ${swarm.dhtPrefix}

Ctrl+C ends all its servers.
`)
  const end = (): void => {
    process.stderr.write('Ending the servers …\n')
    void swarm[Symbol.asyncDispose]().then(() => process.exit(0))
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  await Promise.all(swarm.servers.map((server) => server.exited))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
