import { describe, expect, it } from 'vitest'
import { publicInitialPeers, swarmConfigSchema } from './config.ts'

const peer = 'QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY'
const problems = (input: object): readonly string[] =>
  swarmConfigSchema.safeParse(input).error?.issues.map(({ message }) => message) ?? []

describe('swarmConfigSchema', () => {
  it('joins the public swarm by default', () => {
    expect(swarmConfigSchema.parse({}).initialPeers).toEqual(publicInitialPeers)
    expect(swarmConfigSchema.parse({ initialPeers: 'public' }).initialPeers).toEqual(publicInitialPeers)
  })

  it.each([
    `/ip4/127.0.0.1/tcp/31337/p2p/${peer}`,
    `/ip6/::1/tcp/31337/p2p/${peer}`,
    `/dns4/swarm.example.org/tcp/31337/ws/p2p/${peer}`,
    `/dnsaddr/swarm.example.org`,
    `/ip4/10.0.0.1/tcp/31337/p2p/${peer}/p2p-circuit/p2p/${peer}`,
  ])('accepts the address %s', (address) => {
    expect(swarmConfigSchema.parse({ initialPeers: [address] }).initialPeers).toEqual([address])
  })

  it.each(['127.0.0.1:31337', '/ip4/127.0.0.1/tcp/31337', 'http://swarm.example.org', ''])(
    'refuses %j with an example of an address',
    (address) => {
      expect(problems({ initialPeers: [address] })).toEqual([
        'must be a multiaddr such as /ip4/203.0.113.7/tcp/31337/p2p/Qm…',
      ])
    },
  )

  it('refuses an invalid peer id', () => {
    expect(problems({ allowedServers: [peer, 'Qmnonsense'] })).toEqual([
      "'Qmnonsense' is not a peer id such as Qm… or 12D3Koo…",
    ])
    expect(problems({ blockedServers: [peer] })).toEqual([])
  })
})
