import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { Transport, Upgrader } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { withAddressTimeouts, type AddressTimeouts } from './address-timeouts.ts'
import { TestPeer } from './testing/test-peer.ts'

let resources: AsyncDisposableStack
beforeEach(() => {
  resources = new AsyncDisposableStack()
})
afterEach(() => resources.disposeAsync())

async function dial(address: string, timeouts: AddressTimeouts): Promise<void> {
  const node = await createLibp2p({
    transports: [withAddressTimeouts(tcp(), () => timeouts)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  resources.defer(async () => {
    await node.stop()
  })
  await node.dial(multiaddr(address))
}

it('a program that accepts connections and says nothing is given up, and the error says so', async () => {
  const mute = createServer((socket) => resources.defer(() => void socket.destroy())).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  resources.defer(() => void mute.close())
  const { port } = mute.address() as AddressInfo
  await expect(dial(`/ip4/127.0.0.1/tcp/${port}`, { connectMs: 60_000, upgradeMs: 200 })).rejects.toThrow(
    'it accepts connections but does not complete the handshake within 200 ms',
  )
})

/** A transport to addresses that answer nothing. */
const silent = (): Transport =>
  ({
    dial: (_address, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      ),
  }) as Partial<Transport> as Transport

it('a dead address is given up, and the error says so', async () => {
  const transport = withAddressTimeouts(silent, () => ({ connectMs: 50, upgradeMs: 60_000 }))({})
  const options = { signal: new AbortController().signal, upgrader: {} as Upgrader }
  await expect(transport.dial(multiaddr('/ip4/192.0.2.1/tcp/1'), options)).rejects.toThrow(
    'it accepts no connection within 50 ms',
  )
})

it('a caller that gives up is told its own reason', async () => {
  const transport = withAddressTimeouts(silent, () => ({ connectMs: 60_000, upgradeMs: 60_000 }))({})
  const stop = new AbortController()
  const options = { signal: stop.signal, upgrader: {} as Upgrader }
  const dialled = transport.dial(multiaddr('/ip4/192.0.2.1/tcp/1'), options)
  stop.abort(new Error('stopped by the test'))
  await expect(dialled).rejects.toThrow('stopped by the test')
})

it('a peer that answers is connected to, and it is told how long that took', async () => {
  const peer = resources.use(await TestPeer.start())
  const took: number[] = []
  const onConnected = (ms: number): void => void took.push(ms)
  await dial(peer.address, { connectMs: 60_000, upgradeMs: 60_000, onConnected })
  expect(took).toEqual([expect.any(Number)])
  const transport = withAddressTimeouts(silent, () => ({ connectMs: 1, upgradeMs: 60_000, onConnected }))({})
  const options = { signal: new AbortController().signal, upgrader: {} as Upgrader }
  await expect(transport.dial(multiaddr('/ip4/192.0.2.1/tcp/1'), options)).rejects.toThrow()
  expect(took).toHaveLength(1)
})
