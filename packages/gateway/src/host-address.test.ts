import { describe, expect, it } from 'vitest'
import { gatewayConfigSchema } from './config.ts'
import { hostUrl, isLoopbackHost } from './host-address.ts'

describe('isLoopbackHost', () => {
  it.each([
    '127.0.0.1',
    '127.0.0.2',
    '127.255.255.254',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '[::FFFF:127.0.0.1]',
    'localhost',
    'LocalHost.',
    'chat.localhost',
  ])('knows %s', (host) => expect(isLoopbackHost(host)).toBe(true))

  it.each([
    '0.0.0.0',
    '::',
    '[::]',
    '10.0.0.1',
    '128.0.0.1',
    '::ffff:10.0.0.1',
    'fe80::1',
    '127.0.0.1.example.org',
    'localhost.example.org',
    'notlocalhost',
    '127.0.0.256',
  ])('does not take %s for it', (host) => expect(isLoopbackHost(host)).toBe(false))
})

it('takes a host in brackets for the address in them', () => {
  expect(gatewayConfigSchema.parse({ host: '[::1]' }).host).toBe('::1')
})

describe('the address to listen on', () => {
  const problemOf = (host: string) => gatewayConfigSchema.safeParse({ host }).error?.issues[0]?.message

  it.each([
    '0.0.0.0',
    '::',
    '[::1]',
    'fe80::1%eth0',
    ' 127.0.0.1 ',
    'localhost',
    'my_box',
    'bücher.local',
    'a.b.',
  ])('may be %s', (host) => expect(problemOf(host)).toBeUndefined())

  it.each([
    ['0.0.0.0:5000', "server.host: '0.0.0.0' and server.port: 5000"],
    ['[::1]:80', "server.host: '::1' and server.port: 80"],
    ['http://localhost:5000/chat', "server.host: 'localhost' and server.port: 5000"],
    ['https://chat.example.org', "server.host: 'chat.example.org'"],
    ['10.0.0.1/24', "server.host: '10.0.0.1'"],
    ['*', "server.host: '0.0.0.0'"],
    ['*:80', "server.host: '0.0.0.0' and server.port: 80"],
  ])('can be written as %s only in two keys', (host, advice) =>
    expect(problemOf(host)).toContain(`Write ${advice}.`),
  )

  it.each([
    'my box',
    '127.1',
    '127.0.0.256',
    '0x7f.0.0.1',
    '2130706433',
    ':::',
    '::1]',
    'a..b',
    '-a',
    'a@b',
    '\n',
    'x'.repeat(300),
  ])('is refused in words: %s', (host) =>
    expect(problemOf(host)).toMatch(
      /^must be an IP address or a name of this machine[^:]*: [^:]*::1, chat.example.org\.$/,
    ),
  )
})

it('writes an address as a URL has it', () => {
  expect(['::1', '[::1]', '127.0.0.2', 'localhost'].map((host) => hostUrl(host, 80))).toEqual([
    'http://[::1]:80',
    'http://[::1]:80',
    'http://127.0.0.2:80',
    'http://localhost:80',
  ])
})
