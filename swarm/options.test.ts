import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { assertPortFree, helpOf, parseSwarmFlags } from './options.ts'
import { quoteWord } from '@petals-chat/contribute'
import { splitWords } from './shell-words.ts'

describe('the flags of npm run swarm and npm run demo', () => {
  it('accept server arguments that begin with dashes', () => {
    expect(
      parseSwarmFlags('swarm', ['--server-args', '--session_timeout 60', '--replicas', '2']),
    ).toMatchObject({
      extra: ['--session_timeout', '60'],
      replicas: 2,
    })
    expect(parseSwarmFlags('swarm', ['--server-args=--public_name "my server"'])).toMatchObject({
      extra: ['--public_name', 'my server'],
    })
  })

  it('include the port of the chat page in the demo only', () => {
    expect(parseSwarmFlags('demo', [])).toMatchObject({ port: 31337, chatPort: 5000 })
    expect(parseSwarmFlags('demo', ['--chat-port', '0'])).toMatchObject({ chatPort: 0 })
    expect(() => parseSwarmFlags('swarm', ['--chat-port', '1'])).toThrow('npm run demo')
    expect(helpOf('demo')).toContain('--chat-port')
    expect(helpOf('swarm')).not.toContain('--chat-port')
  })

  it.each([
    [['--port', '70000'], '--port takes a whole number, from 1 to 65535'],
    [['--chat-port', 'x'], '--chat-port takes a whole number, from 0 to 65535'],
    [['--replicas', '0'], '--replicas takes a whole number, 1 or more'],
    [['--replicas'], /--replicas.*See npm run demo -- --help\.$/],
    [['--prot', '1'], /Unknown option '--prot'\. See npm run demo -- --help\.$/],
    [['--dtype', 'bfloat16'], '--dtype is a flag of `npm run swarm`'],
    [['--rewinding'], '--rewinding is a flag of `npm run swarm`'],
    [['--server-args', '--x'], '--server-args is a flag of `npm run swarm`'],
    [['--server-args'], /--server-args.*See npm run demo -- --help\.$/],
  ])('%j: the error names the fault', (args, message) => {
    expect(() => parseSwarmFlags('demo', args)).toThrow(message)
  })

  it('are all in the help', () => {
    for (const flag of [
      'model',
      'blocks-per-server',
      'replicas',
      'port',
      'cache-tokens',
      'dtype',
      'round-trip',
    ])
      expect(helpOf('swarm')).toContain(`--${flag} `)
  })
})

it('names the flag for another port if a port is in use', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await expect(assertPortFree(port, '--chat-port')).rejects.toThrow(
    `Port ${port} is used by another program. Choose another one, for example: --chat-port ${port + 1}`,
  )
  server.close()
  await once(server, 'close')
  await expect(assertPortFree(port, '--chat-port')).resolves.toBeUndefined()
})

describe('shell words', () => {
  it('are split at spaces outside quotes', () => {
    expect(splitWords(`  --a  1 'b c' "d \\"e\\"" f\\ g h"i j"k '' `)).toEqual([
      ...['--a', '1', 'b c', 'd "e"', 'f g', 'hi jk', ''],
    ])
    expect(splitWords('')).toEqual([])
  })

  it('are quoted if necessary, so that splitting restores them', () => {
    expect(quoteWord('/ip4/127.0.0.1/tcp/1/p2p/Qm')).toBe('/ip4/127.0.0.1/tcp/1/p2p/Qm')
    for (const word of ["it's here", 'm=petals:/a b/c', '$HOME', ''])
      expect(splitWords(quoteWord(word))).toEqual([word])
  })
})
