// npm run swarm [-- FLAGS]      a private swarm
// npm run demo [-- FLAGS]       a private swarm, and the chat on it
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { quoteWord } from '@petals-chat/contribute'
import { findModel } from './models.ts'
import { assertPortFree, helpOf, parseSwarmFlags, type SwarmCommand, type SwarmFlags } from './options.ts'
import { rootFolder } from './paths.ts'
import { startNativeSwarm, type NativeSwarm } from './native-swarm.ts'
import { startSwarm } from './swarm.ts'

const [first, ...others] = process.argv.slice(2)
const command: SwarmCommand = first === 'demo' ? 'demo' : 'swarm'
const args = first === 'demo' ? others : process.argv.slice(2)

/** Returns the arguments with which `petals-chat` uses this swarm, and its model. */
const swarmArguments = (swarm: NativeSwarm): string[] => ['--swarm', swarm.initialPeers.join(',')]
const chatArguments = (swarm: NativeSwarm, model: string): string[] => [
  ...swarmArguments(swarm),
  ...['--model', `${model}=petals:${swarm.modelFolder}`],
  ...['--dht-prefix', swarm.dhtPrefix],
]

const npmStart = (words: readonly string[]): string => `npm start -- ${words.map(quoteWord).join(' ')}`

/** Returns the instructions for another terminal, with commands to copy. */
function describeSwarm(swarm: NativeSwarm, { model }: SwarmFlags): string {
  const status = npmStart(['swarm', 'status', ...swarmArguments(swarm)])
  const chat = npmStart(chatArguments(swarm, model))
  return `
The swarm is up. Its address:

  ${swarm.initialPeers.join(',')}

From another terminal, in this folder:

  ${status}${command === 'demo' ? '' : `\n  ${chat}`}

Ctrl+C ends all its servers.
`
}

function startChat(swarm: NativeSwarm, { model, chatPort }: SwarmFlags): ChildProcess {
  const file = path.join(rootFolder, 'packages', 'cli', 'bin', 'petals-chat.mjs')
  const words = [file, '--port', String(chatPort), ...chatArguments(swarm, model)]
  // The IPC channel ends the chat with this process, even if this process is killed.
  return spawn(process.execPath, words, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
}

/** Resolves to the chat's exit code. Signals end the chat first, which finishes its answers, and the servers after it. */
async function chatUntilEnd(swarm: NativeSwarm, flags: SwarmFlags): Promise<number> {
  const chat = startChat(swarm, flags)
  process.on('SIGTERM', () => chat.kill('SIGTERM'))
  process.on('SIGHUP', () => chat.kill('SIGTERM'))
  process.on('disconnect', () => chat.kill('SIGTERM'))
  // A terminal sends Ctrl+C to the chat itself.
  process.on('SIGINT', () => process.stdin.isTTY || chat.kill('SIGINT'))
  const [code] = (await once(chat, 'exit')) as [number | null]
  return code ?? 1
}

/** Resolves to 0 after a signal to end, or to 1 when all servers have ended. */
async function serveUntilEnd(swarm: NativeSwarm): Promise<number> {
  const stopped = new Promise<number>((resolve) => {
    for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.once(event, () => resolve(0))
  })
  const ended = Promise.all(swarm.servers.map(({ exited }) => exited)).then(() => {
    process.stderr.write('All servers have ended unexpectedly. Their logs have the reasons.\n')
    return 1
  })
  return Promise.race([stopped, ended])
}

async function main(): Promise<number> {
  const flags = parseSwarmFlags(command, args)
  if (!flags) {
    process.stdout.write(helpOf(command))
    return 0
  }
  findModel(flags.model)
  await assertPortFree(flags.port, '--port')
  if (command === 'demo') await assertPortFree(flags.chatPort, '--chat-port')
  const started = Date.now()
  const onProgress = (text: string): void => {
    process.stderr.write(`▸ ${text} (${((Date.now() - started) / 1000).toFixed(0)} s)\n`)
  }
  const start = command === 'demo' ? startNativeSwarm : startSwarm
  const swarm: NativeSwarm = await start({ ...flags, onProgress })
  process.stdout.write(describeSwarm(swarm, flags))
  const code = await (command === 'demo' ? chatUntilEnd(swarm, flags) : serveUntilEnd(swarm))
  process.stderr.write('Ending the servers …\n')
  await swarm[Symbol.asyncDispose]()
  return code
}

// While the swarm is starting there is nothing to finish: its servers end with this process.
process.once('disconnect', () => process.listenerCount('SIGTERM') === 0 && process.exit(1))

try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
