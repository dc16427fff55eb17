import { multiaddr } from '@multiformats/multiaddr'
import { expect, it } from 'vitest'
import { ConnectionBound } from './connection-bound.ts'
import { originOf } from './origin.ts'

const origin = (address: string): string | undefined => originOf(multiaddr(address))

it('a connection comes from an IPv4 address, or from an IPv6 network of 64 bits', () => {
  expect(origin('/ip4/192.0.2.7/tcp/4001')).toBe('192.0.2.7')
  expect(origin('/ip6/2001:db8:1:2:3:4:5:6/tcp/1')).toBe('2001:db8:1:2')
  expect(origin('/ip6/2001:db8::5/tcp/1')).toBe('2001:db8:0:0')
  expect(origin('/ip6/2001:db8::ffff:5/tcp/1')).toBe('2001:db8:0:0')
  expect(origin('/ip6/2001:db8:0:7::/tcp/1')).toBe('2001:db8:0:7')
  expect(origin('/ip6/::1/tcp/1')).toBe('0:0:0:0')
  const [one, other] = ['/ip6/::ffff:192.0.2.7/tcp/1', '/ip6/::ffff:192.0.2.8/tcp/1']
  expect(origin(one)).not.toBe(origin(other))
})

it('what comes through a relay has no known origin', () => {
  const relay = '/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
  expect(origin(`${relay}/p2p-circuit`)).toBeUndefined()
})

it('connections of one origin are limited, whatever the rest of the address', () => {
  const open = ['/ip6/2001:db8::1/tcp/1', '/ip6/2001:db8::2/tcp/1'].map((address) => multiaddr(address))
  const bound = new ConnectionBound(2, () => open)
  expect(bound.isFull(multiaddr('/ip6/2001:db8::3/tcp/1'))).toBe(true)
  expect(bound.isFull(multiaddr('/ip6/2001:db8:0:1::3/tcp/1'))).toBe(false)
})
