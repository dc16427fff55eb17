// npm run swarm [-- FLAGS]      a private swarm
// npm run demo [-- FLAGS]       a private swarm, and the chat on it
import { spawn } from 'node:child_process'
import path from 'node:path'
import { parseSwarmFlags, swarmFlags } from './options.ts'
import { rootFolder } from './paths.ts'
import { startSwarm, type Swarm } from './swarm.ts'

const isDemo = process.argv[2] === 'demo'
if (isDemo) process.argv.splice(2, 1)

/** Arguments of `petals-chat` that make it chat with this swarm. */
const chatArguments = (swarm: Swarm, model: string): string[] => [
  ...['--swarm', swarm.initialPeers.join(',')],
  ...['--model', `${model}=petals:${swarm.modelFolder}`],
  ...['--dht-prefix', swarm.dhtPrefix],
]

function startChat(swarm: Swarm, model: string): Promise<void> {
  const command = path.join(rootFolder, 'packages', 'cli', 'bin', 'petals-chat.mjs')
  const child = spawn(process.execPath, [command, ...chatArguments(swarm, model)], { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => resolve())
  })
}

async function main(): Promise<void> {
  const options = parseSwarmFlags()
  if (!options) {
    process.stdout.write(
      `Starts a private Petals swarm on this machine, from the Python packages${isDemo ? ', and the chat page on it' : ', and prints how to chat with it'}.\n\n${swarmFlags}`,
    )
    return
  }
  const started = Date.now()
  const swarm = await startSwarm({
    ...options,
    onProgress: (text) =>
      process.stderr.write(`▸ ${text} (${((Date.now() - started) / 1000).toFixed(0)} s)\n`),
  })
  const end = async (): Promise<void> => {
    process.stderr.write('Ending the servers …\n')
    await swarm[Symbol.asyncDispose]()
    process.exit(0)
  }
  // In the demo a Ctrl+C reaches the chat, too: it ends by itself, and the servers after it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void (isDemo || end()))
  if (isDemo) {
    await startChat(swarm, options.model)
    return end()
  }
  process.stdout.write(`
The swarm is up. Chat with it from another terminal:

  npm start -- ${chatArguments(swarm, options.model).join(' ')}

Ctrl+C ends all its servers.
`)
  await Promise.all(swarm.servers.map((server) => server.exited))
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
