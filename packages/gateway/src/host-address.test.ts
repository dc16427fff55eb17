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

it('writes an address as a URL has it', () => {
  expect(['::1', '[::1]', '127.0.0.2', 'localhost'].map((host) => hostUrl(host, 80))).toEqual([
    'http://[::1]:80',
    'http://[::1]:80',
    'http://127.0.0.2:80',
    'http://localhost:80',
  ])
})
