import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { clientAddressReader } from './client-address.ts'
import { gatewayConfigSchema } from './config.ts'
import { eventually, type LogRecord, recordingLogger } from './fixtures/test-gateway.ts'
import { startTestServer } from './fixtures/test-server.ts'

/** The client of a connection from `from`, with the proxies that are believed. */
const clientOf = (
  trusted: readonly string[],
  from: string | undefined,
  forwardedFor?: string,
  forwardedProto?: string,
) => clientAddressReader(trusted)({ remoteAddress: from, forwardedFor, forwardedProto })

const addressOf = (...given: Parameters<typeof clientOf>): string => clientOf(...given).address

describe('the address of a client', () => {
  it('is that of its connection, whatever it says, unless a proxy is trusted', () => {
    expect(clientOf([], '127.0.0.1', '192.0.2.1', 'https')).toEqual({
      address: '127.0.0.1',
      network: '127.0.0.1',
      secure: false,
    })
    expect(addressOf(['10.0.0.1'], '10.0.0.2', '192.0.2.1')).toBe('10.0.0.2')
  })

  it('is what a trusted proxy appended, and never what the client wrote before it', () => {
    expect(addressOf(['loopback'], '127.0.0.1', '203.0.113.9, 192.0.2.1')).toBe('192.0.2.1')
    expect(addressOf(['loopback'], '::ffff:127.0.0.1', '127.0.0.1, 192.0.2.1')).toBe('192.0.2.1')
  })

  it('is found past several proxies', () => {
    const trusted = ['loopback', '10.0.0.0/8']
    expect(addressOf(trusted, '::1', '203.0.113.9, 192.0.2.1, 10.1.2.3, 127.0.0.5')).toBe('192.0.2.1')
    expect(addressOf(trusted, '::1', '10.9.9.9, 10.1.2.3')).toBe('10.9.9.9')
  })

  it.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['a name', 'client.example.org'],
    ['"unknown"', 'unknown'],
    ['a number', '1'],
    ['a list that ends with a comma', '192.0.2.1,'],
    ['a line break', '192.0.2.1\nx'],
  ])('is that of the proxy with %s', (_, header) => {
    expect(addressOf(['loopback'], '127.0.0.1', header)).toBe('127.0.0.1')
  })

  it.each([
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:DB8::1]:4711', '2001:db8::1'],
    ['"[2001:db8::1]"', '2001:db8::1'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('is read from %s', (header, address) => {
    expect(addressOf(['127.0.0.1'], '127.0.0.1', header)).toBe(address)
  })

  it.each([
    ['private', '172.18.0.3'],
    ['private', 'fd00::7'],
    ['private', '::1'],
    ['fd00::/8', 'fd12::1'],
    ['2001:db8::1', '2001:db8:0::1'],
  ])('trusts %s at %s', (trusted, from) => {
    expect(addressOf([trusted], from, '192.0.2.1')).toBe('192.0.2.1')
  })

  it('is unknown when the connection has gone, and nothing is then believed', () => {
    expect(clientOf(['loopback'], undefined, '192.0.2.1', 'https')).toEqual({
      address: 'unknown',
      network: 'unknown',
      secure: false,
    })
  })

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::5', '2001:db8::/64'],
    ['2001:db8:0:7::', '2001:db8:0:7::/64'],
    ['::5', '::/64'],
  ])('%s belongs to the network %s', (from, network) => {
    expect(clientOf([], from).network).toBe(network)
  })

  it.each([
    ['https', true],
    ['HTTPS', true],
    ['http, https', true],
    ['https, http', false],
    ['http', false],
    [undefined, false],
  ])('X-Forwarded-Proto %s: TLS %s', (header, secure) => {
    expect(clientOf(['loopback'], '127.0.0.1', '192.0.2.1', header).secure).toBe(secure)
  })
})

describe('server.trustedProxies', () => {
  it.each(['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', 'loopback', 'private'])('takes %s', (network) => {
    expect(gatewayConfigSchema.parse({ trustedProxies: [network] }).trustedProxies).toEqual([network])
  })

  it.each(['*', '0.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0.0/', 'proxy.example.org', '', 'constructor'])(
    'refuses "%s"',
    (network) => {
      expect(gatewayConfigSchema.safeParse({ trustedProxies: [network] }).success).toBe(false)
    },
  )
})

describe('the log', () => {
  it('names a client of another machine, over HTTP and WebSockets', async () => {
    const records: LogRecord[] = []
    await using server = await startTestServer({
      logger: recordingLogger(records),
      config: { trustedProxies: ['loopback'] },
    })
    await fetch(`${server.url}/health`, { headers: { 'x-forwarded-for': '203.0.113.9, 192.0.2.1' } })
    await fetch(`${server.url}/health`)
    await server.connect({ 'x-forwarded-for': '192.0.2.2' })
    await eventually(
      () => records.filter(({ message }) => /^(request|WebSocket opened)$/.test(message)).length === 3,
    )
    expect(
      records
        .map(({ fields }) => fields['client'])
        .filter(Boolean)
        .sort(),
    ).toEqual(['192.0.2.1', '192.0.2.2'])
  })

  it('joins headers that come several times in their order', async () => {
    const records: LogRecord[] = []
    await using server = await startTestServer({
      logger: recordingLogger(records),
      config: { trustedProxies: ['loopback'] },
    })
    const socket = connect(server.port, '127.0.0.1')
    socket.end(
      'GET /health HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 203.0.113.9\r\n' +
        'x-forwarded-for: 192.0.2.1\r\nconnection: close\r\n\r\n',
    )
    socket.resume()
    await once(socket, 'close')
    await eventually(() => records.some(({ fields }) => fields['client'] === '192.0.2.1'))
  })
})
