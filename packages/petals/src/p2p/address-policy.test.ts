import { createServer, isIP, type Server } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '@petals-chat/engine/testing'
import { PeerUnreachableError } from '../errors.ts'
import { encodeCloserPeers, kadProtocol } from '../wire/kad.ts'
import { lengthPrefixed, readLengthPrefixed } from '../wire/varint.ts'
import { AddressPolicy, type PrivateAddresses } from './address-policy.ts'
import { ipScope } from '@petals-chat/engine'
import { createLibp2pTransport } from './libp2p-transport.ts'
import { parsePeerId, peerIdBytes } from './peer-id.ts'
import { TestPeer } from './testing/test-peer.ts'

const id = 'QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr'
const relay = 'QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5'

it.each([
  ['8.8.8.8', 'global'],
  ['159.89.214.152', 'global'],
  ['2606:4700:4700::1111', 'global'],
  ['10.1.2.3', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['100.64.0.1', 'private'],
  ['fd00::1', 'private'],
  ['169.254.7.7', 'link'],
  ['fe80::1', 'link'],
  ['200:1234::1', 'overlay'],
  ['3ff::1', 'overlay'],
  ['400::1', 'special'],
  ['169.254.170.2', 'special'],
  ['100.100.100.200', 'special'],
  ['168.63.129.16', 'special'],
  ['fd00:ec2::254', 'special'],
  ['127.0.0.1', 'loopback'],
  ['127.255.0.1', 'loopback'],
  ['::1', 'loopback'],
  ['0.0.0.0', 'special'],
  ['169.254.169.254', 'special'],
  ['224.0.0.1', 'special'],
  ['255.255.255.255', 'special'],
  ['192.0.2.1', 'special'],
  ['198.18.0.1', 'special'],
  ['::', 'special'],
  ['ff02::1', 'special'],
  ['::ffff:127.0.0.1', 'special'],
  ['::ffff:7f00:1', 'special'],
  ['0:0:0:0:0:ffff:8.8.8.8', 'special'],
  ['::127.0.0.1', 'special'],
  ['64:ff9b::7f00:1', 'special'],
  ['2002:7f00:1::', 'special'],
  ['2001:0:7f00:1::', 'special'],
  ['2001:db8::1', 'special'],
  ['localhost', undefined],
  ['0x7f.1', undefined],
  ['2130706433', undefined],
])('the scope of %s is %s', (address, scope) => {
  expect(ipScope(address)).toBe(scope)
})

describe('addresses that peers announce', () => {
  const initial = { global: '8.8.4.4', private: '10.0.0.5', loopback: '127.0.0.1' }
  const learnt: Readonly<Record<string, string>> = {
    global: `/ip4/8.8.8.8/tcp/31330/p2p/${id}`,
    websocket: `/ip4/8.8.8.8/tcp/31330/ws/p2p/${id}`,
    relayed: `/ip4/8.8.8.8/tcp/31330/p2p/${relay}/p2p-circuit/p2p/${id}`,
    lan: `/ip4/192.168.1.7/tcp/31330`,
    'lan relay': `/ip4/192.168.1.7/tcp/31330/p2p/${relay}/p2p-circuit/p2p/${id}`,
    overlay: `/ip4/100.99.1.2/tcp/31330`,
    here: `/ip4/127.0.0.1/tcp/31330/p2p/${id}`,
    'here by IPv6': `/ip6/::1/tcp/31330`,
    link: `/ip4/169.254.7.7/tcp/31330`,
    'link by IPv6': `/ip6/fe80::7/tcp/31330`,
    yggdrasil: `/ip6/200:1234::7/tcp/31330`,
  }
  const protocolOf = (host: string): string => ['dns4', '', '', '', 'ip4', '', 'ip6'][isIP(host)]!
  const allowedOf = async (
    setting: PrivateAddresses,
    ...peers: readonly string[]
  ): Promise<readonly string[]> => {
    const policy = new AddressPolicy(setting)
    await policy.trust(peers.map((host) => `/${protocolOf(host)}/${host}/tcp/31337/p2p/${relay}`))
    return Object.keys(learnt).filter((name) => policy.allows(multiaddr(learnt[name]!)))
  }
  const open = ['global', 'websocket', 'relayed']
  const lan = [...open, 'lan', 'lan relay', 'overlay']
  const all = [...lan, 'here', 'here by IPv6']

  it('are those that anyone can reach if an initial peer is in the public network', async () => {
    expect(await allowedOf('auto', initial.global)).toEqual(open)
    expect(await allowedOf('auto', initial.global, initial.loopback, initial.private)).toEqual(open)
    expect(await allowedOf('auto')).toEqual(open)
    expect(await allowedOf('deny', initial.loopback)).toEqual(open)
  })

  it('may be of a private network if all initial peers are, and of this machine if one of them is', async () => {
    expect(await allowedOf('auto', initial.private)).toEqual(lan)
    expect(await allowedOf('auto', initial.private, initial.loopback)).toEqual(all)
    expect(await allowedOf('allow', initial.global)).toEqual(Object.keys(learnt))
  })

  it('may be of the link or the overlay network of an initial peer', async () => {
    const link = ['link', 'link by IPv6']
    expect(await allowedOf('auto', '169.254.1.1')).toEqual([...lan, ...link])
    expect(await allowedOf('auto', 'fe80::1', initial.loopback)).toEqual([...all, ...link])
    expect(await allowedOf('auto', '200:1::1')).toEqual([...open, 'yggdrasil'])
    expect(await allowedOf('auto', '200:1::1', initial.private)).toEqual([...open, 'yggdrasil'])
    expect(await allowedOf('auto', '200:1::1', initial.global)).toEqual(open)
  })

  it('are those of the public network if an initial peer has an address of no known network', async () => {
    expect(await allowedOf('auto', '198.18.0.1')).toEqual(open)
    expect(await allowedOf('auto', '169.254.169.254', initial.private)).toEqual(open)
    expect(await allowedOf('auto', '::ffff:10.0.0.1')).toEqual(open)
  })

  it('may be private although the name of an initial peer leads nowhere', async () => {
    expect(await allowedOf('auto', initial.private, 'gone.invalid')).toEqual(lan)
    expect(await allowedOf('auto', 'gone.invalid')).toEqual(open)
  })

  it('must look like those of a server, in every swarm', async () => {
    const policy = new AddressPolicy('allow')
    const forms = [
      `/ip4/127.0.0.1/tcp/80/ws/http-path/admin%2Fdelete/p2p/${id}`,
      `/ip4/8.8.8.8/tcp/80/http`,
      `/ip4/8.8.8.8/tcp/443/https/http-path/x`,
      `/unix/%2Fvar%2Frun%2Fdocker.sock`,
      `/ip4/8.8.8.8/udp/53`,
      `/ip4/8.8.8.8/udp/4001/quic-v1`,
      `/ip6zone/eth0/ip6/fe80::1/tcp/80`,
      `/dnsaddr/example.org/p2p/${id}`,
      `/ip4/8.8.8.8`,
      `/ip4/8.8.8.8/tcp/1/p2p/${relay}/p2p-circuit/ip4/127.0.0.1/tcp/80`,
      `/ip4/169.254.169.254/tcp/80`,
      `/ip6/::ffff:127.0.0.1/tcp/80`,
      `/ip4/0.0.0.0/tcp/80`,
      `/dns4/example.org/tcp/443/wss`,
    ]
    for (const form of forms) expect(policy.allows(multiaddr(form)), form).toBe(false)
  })

  it('of the configuration are always allowed', async () => {
    const policy = new AddressPolicy('deny')
    await policy.trust([`/ip4/127.0.0.1/tcp/31337/p2p/${id}`, `/dns4/localhost/tcp/1/ws/p2p/${id}`])
    expect(policy.allows(multiaddr(`/ip4/127.0.0.1/tcp/31337`))).toBe(true)
    expect(policy.allows(multiaddr(`/ip4/127.0.0.1/tcp/31338`))).toBe(false)
    expect(policy.allows(multiaddr(`/dns4/localhost/tcp/1/ws`))).toBe(true)
  })

  it('by name are resolved, and then checked', async () => {
    const lookUp = (policy: AddressPolicy, all: boolean): Promise<unknown> =>
      new Promise((resolve) =>
        policy.lookup('localhost', { all }, (error, address) => resolve(error?.message ?? address)),
      )
    const refusal = 'The name localhost leads to no address that may be dialled.'
    expect(await lookUp(new AddressPolicy('deny'), true)).toBe(refusal)
    expect(await lookUp(new AddressPolicy('deny'), false)).toBe(refusal)
    expect(await lookUp(new AddressPolicy('allow'), false)).toMatch(/^(127\.0\.0\.1|::1)$/)
    const configured = new AddressPolicy('deny')
    await configured.trust([`/dns4/localhost/tcp/1/p2p/${id}`])
    expect(await lookUp(configured, true)).toContainEqual(
      expect.objectContaining({ family: expect.any(Number) }),
    )
  })

  it('make a swarm private whose only initial peer has a name in this network', async () => {
    const policy = new AddressPolicy()
    await policy.trust([`/dns4/localhost/tcp/1/p2p/${id}`])
    expect(policy.allows(multiaddr('/ip4/127.0.0.1/tcp/2'))).toBe(true)
  })
})

/** A service of this machine that counts who calls it. */
class Canary implements AsyncDisposable {
  calls = 0
  readonly #server: Server

  static async start(): Promise<Canary> {
    const canary = new Canary()
    await new Promise<void>((resolve) => canary.#server.listen(0, '127.0.0.1', resolve))
    return canary
  }

  private constructor() {
    this.#server = createServer((socket) => {
      this.calls++
      socket.destroy()
    })
  }

  get port(): number {
    return (this.#server.address() as { readonly port: number }).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

describe('a hostile peer that names a service of this machine as the address of a server', () => {
  let resources: AsyncDisposableStack
  let canary: Canary
  beforeEach(async () => {
    resources = new AsyncDisposableStack()
    canary = resources.use(await Canary.start())
  })
  afterEach(() => resources.disposeAsync())

  const attacks = (port: number): readonly string[] => [
    `/ip4/127.0.0.1/tcp/${port}/ws/http-path/shutdown%3Fnow`,
    `/ip4/127.0.0.1/tcp/${port}/ws`,
    `/ip4/127.0.0.1/tcp/${port}`,
    `/dns4/localhost/tcp/${port}`,
    `/dns/localhost/tcp/${port}/ws`,
    `/ip6/::ffff:127.0.0.1/tcp/${port}`,
    `/ip4/127.0.0.1/tcp/${port}/p2p/${relay}/p2p-circuit`,
  ]

  /** Lets the peer name `addresses` in its answers and in its own announcement, and opens a stream to the target. */
  async function open(privateAddresses: PrivateAddresses, addresses: readonly string[]): Promise<string> {
    const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
    const announce = addresses.slice(0, 5)
    const liar = resources.use(await TestPeer.start({ kad: false, listen, announce }))
    const target = parsePeerId(id)
    await liar.handle(kadProtocol, async (stream) => {
      await readLengthPrefixed((length) => stream.read(length), 4096)
      const multiaddrs = addresses.map((address) => multiaddr(address).bytes)
      await stream.write(lengthPrefixed(encodeCloserPeers([{ id: peerIdBytes(target), multiaddrs }])))
    })
    const client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 3000, privateAddresses }))
    await client.connect([liar.directAddress])
    const failure = client.openStream(target, 'Test.echo')
    await expect(failure).rejects.toThrow(PeerUnreachableError)
    liar.cutConnections()
    await client.openStream(liar.id, 'Test.echo').catch(() => {})
    return await failure.then(String, String)
  }

  it('reaches none of it through a public swarm', async () => {
    await open('deny', attacks(canary.port))
    expect(canary.calls).toBe(0)
  })

  it('says which setting permits it', async () => {
    const error = await open('deny', attacks(canary.port).slice(2, 3))
    expect(error).toMatch(/addresses of private networks.*swarm\.privateAddresses/)
    expect(canary.calls).toBe(0)
  })

  it('sends no path of a request in any swarm', async () => {
    await open('allow', attacks(canary.port).slice(0, 1))
    expect(canary.calls).toBe(0)
  })

  it('would reach it without the rule', async () => {
    await open('allow', attacks(canary.port).slice(1, 4))
    expect(canary.calls).toBeGreaterThan(0)
  })
})
