import type { lookup } from 'node:dns'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { toolsConfigSchema, type FetchConfig } from '../config.ts'
import { WebServer } from '../testing/index.ts'
import { ToolFailure } from '../tool-server.ts'
import { fetchTool } from './fetch-page.ts'
import { htmlText } from './html-text.ts'
import { PageAddresses } from './page-address.ts'

let server: WebServer
let answer: (request: Request) => Response

beforeAll(async () => {
  server = await WebServer.serve((request) => Promise.resolve(answer(request)))
})
afterAll(() => server[Symbol.asyncDispose]())

type Address = { readonly address: string; readonly family: 4 | 6 }

/** A name service in which every name leads to these addresses. */
const leadingTo = (...addresses: readonly string[]): typeof lookup =>
  ((_name: string, _options: object, callback: (error: null, found: readonly Address[]) => void) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as unknown as typeof lookup

const config = (fetch: unknown): FetchConfig => toolsConfigSchema.parse({ builtIn: { fetch } }).builtIn.fetch

function fetchPage(
  url: string,
  fetch: unknown = true,
  lookUp?: typeof lookup,
  timeoutMs = 20_000,
): Promise<string> {
  const own = config(fetch)
  return Promise.resolve(fetchTool(own, new PageAddresses(own, lookUp)).run({ url }, { timeoutMs }))
}

describe('without hosts in the configuration, nothing is asked at', () => {
  const hosts = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    'localhost',
    'localhost.',
    '0.0.0.0',
    '0',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '169.254.1.1',
    '224.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:10.0.0.1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '[fd00::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
    '127.0.0.1%2e',
    '①②⑦.⓪.⓪.①',
  ]
  it.each(hosts)('%s', async (host) => {
    const before = server.requests.length
    await expect(fetchPage(`http://${host}/`)).rejects.toThrow(ToolFailure)
    await expect(fetchPage(`http://${host}:${server.port}/`)).rejects.toThrow(ToolFailure)
    expect(server.requests.length).toBe(before)
  })

  it.each([
    ['127.0.0.1'],
    ['::1'],
    ['10.1.2.3'],
    ['169.254.169.254'],
    ['::ffff:127.0.0.1'],
    ['8.8.8.8', '127.0.0.1'],
    ['fe80::1'],
  ])('a name that leads to %s', async (...addresses) => {
    await expect(fetchPage('http://rebound.example/', true, leadingTo(...addresses))).rejects.toThrow(
      /Pages of rebound\.example may not be fetched: the name leads into a private network/,
    )
  })

  it.each([
    'file:///etc/passwd',
    'ftp://example.org/',
    'data:text/plain,x',
    'gopher://x',
    'no address',
    '//example.org',
    'http://user:pass@example.org/',
  ])('%s', async (url) => {
    await expect(fetchPage(url)).rejects.toThrow(ToolFailure)
  })

  it('another port than that of the web', async () => {
    await expect(fetchPage('http://example.org:6379/', true, leadingTo('8.8.8.8'))).rejects.toThrow(
      /may not be fetched/,
    )
  })
})

describe('a host that the configuration names', () => {
  const here = () => [`127.0.0.1:${server.port}`]
  const at = (path: string) => `http://127.0.0.1:${server.port}${path}`

  it('is asked without cookies, credentials or an address before', async () => {
    answer = () =>
      new Response(
        '<title>Shop</title><body><h1>Prices</h1><script>x</script><p>Tea &amp; cake: 3&nbsp;€</body>',
        {
          headers: { 'content-type': 'text/html; charset=utf-8' },
        },
      )
    expect(await fetchPage(at('/shop'), here())).toBe('Shop\n\nPrices\nTea & cake: 3 €')
    const { headers } = server.requests.at(-1)!
    expect([headers.get('cookie'), headers.get('authorization'), headers.get('referer')]).toEqual([
      null,
      null,
      null,
    ])
  })

  it('may lead on to hosts that are allowed, and to no others', async () => {
    const to = (location: string) => {
      answer = ({ url }) =>
        url.endsWith('/start')
          ? new Response(null, { status: 302, headers: { location } })
          : new Response('there')
    }
    to('/end')
    expect(await fetchPage(at('/start'), here())).toBe('there')
    for (const location of [
      'http://localhost:1/',
      `http://127.1:1/`,
      'http://169.254.169.254/latest/meta-data',
      `http://[::ffff:127.0.0.1]:${server.port}/end`,
      'file:///etc/passwd',
      'https://example.org/',
    ]) {
      to(location)
      await expect(fetchPage(at('/start'), here())).rejects.toThrow(ToolFailure)
    }
    answer = () => new Response(null, { status: 302, headers: { location: '/start' } })
    await expect(fetchPage(at('/start'), here())).rejects.toThrow('more than 5 times')
  })

  it('is not those below it, and a pattern for those below it leads into no private network', async () => {
    const asked = (host: string, hosts: readonly string[], address: string) =>
      fetchPage(`http://${host}/`, hosts, leadingTo(address)).catch((error: Error) => error.message)
    expect(await asked('a.example.org', ['example.org'], '8.8.8.8')).toContain('does not name it')
    expect(await asked('evilexample.org', ['*.example.org'], '8.8.8.8')).toContain('does not name it')
    expect(await asked('a.example.org', ['*.example.org'], '10.0.0.1')).toContain('private network')
    expect(await asked('meta.example.org', ['meta.example.org'], '169.254.169.254')).toContain(
      'private network',
    )
  })

  it('has its pages cut, and says what is no text', async () => {
    answer = () =>
      new Response(
        new ReadableStream({ pull: (c) => c.enqueue(new TextEncoder().encode('x'.repeat(65_536))) }),
        { headers: { 'content-type': 'text/plain' } },
      )
    expect(await fetchPage(at('/endless'), here())).toHaveLength(1024 * 1024)
    answer = () => new Response('x', { headers: { 'content-type': 'image/png' } })
    await expect(fetchPage(at('/image'), here())).rejects.toThrow('sent no text, but image/png')
    answer = () => new Response('gone', { status: 410 })
    await expect(fetchPage(at('/gone'), here())).rejects.toThrow('answers with the status 410: gone')
    answer = () => new Response(new ReadableStream({}), { headers: { 'content-type': 'text/plain' } })
    await expect(fetchPage(at('/silent'), here(), undefined, 200)).rejects.toThrow('did not answer in time')
  })
})

describe('the text of a page', () => {
  it('is what a reader sees, in lines', () => {
    expect(
      htmlText(
        '<html><head><title> A  b </title><style>p{}</style></head><body><nav>Menu</nav><ul><li>one</li><li>two</li></ul>' +
          '<table><tr><td>1</td><td>2</td></tr></table><!-- no --><noscript>no</noscript><p>x<br>y</p></body></html>',
      ),
    ).toBe('A b\n\n- one\n- two\n1 2\nx\ny')
  })

  it('is given, whatever the page is', () => {
    for (const piece of ['<div>', '<b><i>', '<', '<a href="', '&', '<!--', '<script>', '</p>', '<td>'])
      expect(typeof htmlText(piece.repeat(150_000))).toBe('string')
    expect(htmlText('<p>x</p>' + '<div>'.repeat(20_000) + 'y')).toMatch(
      /^x\n\[The rest of the page can’t be read/,
    )
    expect(htmlText('<p>'.repeat(30_000) + 'x')).toBe('x')
  })
})

describe('an answer that is no page', () => {
  /** Answers each connection with these bytes. */
  async function at(answer: string): Promise<string> {
    const raw = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(answer))
    })
    onTestFinished(() => void raw.close())
    await once(raw.listen(0, '127.0.0.1'), 'listening')
    return `127.0.0.1:${(raw.address() as AddressInfo).port}`
  }
  const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'

  it.each([
    ['switches to another protocol', upgrade],
    ['switches to none', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('that %s, ends the call', async (_, answer) => {
    const host = await at(answer)
    await expect(fetchPage(`http://${host}/`, [host])).rejects.toThrow(ToolFailure)
  })

  it('that is compressed although nothing was said of that, is refused in words', async () => {
    const host = await at(
      'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx',
    )
    await expect(fetchPage(`http://${host}/`, [host])).rejects.toThrow(/sent a compressed page \(gzip\)/)
  })
})
