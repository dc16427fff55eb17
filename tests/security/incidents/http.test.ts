import { gzipSync } from 'node:zlib'
import { describe, expect, inject } from 'vitest'
import { frame, closeCode, upgrade } from '../support/frames.ts'
import { testsOf } from '../support/incident.ts'
import { exchange, rawRequest, statusesOf } from '../support/raw-http.ts'
import { httpIncidents } from './http.incidents.ts'

const url = inject('serverUrl')
const { host } = new URL(url)
const incident = testsOf(httpIncidents)

const MIB = 1024 * 1024
const isUp = async (): Promise<void> => expect((await fetch(`${url}/healthz`)).status).toBe(200)
const hidden = `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
const posting = (...lines: readonly string[]): string =>
  [`POST /v1/tokenize HTTP/1.1`, `Host: ${host}`, 'Content-Type: application/json', ...lines, '', ''].join(
    '\r\n',
  )

/** Whether nothing but one refusal came back; after bytes that belong to no request the connection may only end. */
async function refused(request: string): Promise<boolean> {
  const statuses = statusesOf(await exchange(url, request))
  return statuses.length <= 1 && statuses.every((status) => status === 400)
}

describe('two requests in one', () => {
  incident('CVE-2025-23167', async () => {
    for (const end of ['\r\n\rX', '\n\rX', '\r\rX'])
      expect(
        statusesOf(
          await exchange(url, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nA: b${end}\r\n\r\n${hidden}`),
        ),
      ).toEqual([400])
  })

  incident('CVE-2024-27982', async () => {
    const length = Buffer.byteLength(hidden)
    for (const lines of [
      [` Content-Length: ${length}`],
      [`Content-Length : ${length}`],
      ['Content-Length: 0', `Content-Length: ${length}`],
      [`Content-Length: +${length}`],
      [`Content-Length: 0x${length.toString(16)}`],
      ['Transfer-Encoding: xchunked'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding : chunked'],
    ])
      expect(await refused(posting(...lines) + hidden), lines.join()).toBe(true)
  })

  incident('CVE-2025-59139', async () => {
    for (const lines of [
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Content-Length: 4'],
    ])
      expect(statusesOf(await exchange(url, `${posting(...lines)}0\r\n\r\n${hidden}`))).toEqual([400])
  })
})

describe('sizes', () => {
  incident('CVE-2026-44456', async () => {
    const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`
    for (const target of [
      '/v1/chat/completions',
      '/v1/embeddings',
      '/api/v1/generate',
      '/healthz',
      '/nowhere',
    ]) {
      const head = rawRequest({ method: 'POST', target, host, headers: ['Transfer-Encoding: chunked'] })
      const [status, ...more] = statusesOf(await exchange(url, head + chunk.repeat(80) + '0\r\n\r\n'))
      expect([404, 405, 413], target).toContain(status)
      expect(more).toEqual([])
    }
    await isUp()
  })

  incident('CVE-2024-12886', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB))
    const response = await fetch(`${url}/v1/tokenize`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: new Uint8Array(bomb),
    })
    expect(response.status).toBe(413)
  })

  incident('CVE-2026-22036', async () => {
    const codings = Array.from({ length: 500 }, () => 'gzip').join(', ')
    const headers = { 'content-type': 'application/json', 'content-encoding': codings }
    const response = await fetch(`${url}/v1/tokenize`, { method: 'POST', headers, body: '{}' })
    expect(response.status).toBe(415)
  })

  incident('CVE-2025-48956', async () => {
    const sending = (length: number): Promise<string> =>
      exchange(url, rawRequest({ target: '/healthz', host, headers: [`X-Filler: ${'a'.repeat(length)}`] }))
    expect(statusesOf(await sending(20_000))).toEqual([431])
    expect(statusesOf(await sending(MIB))).not.toContain(200)
    await isUp()
  })

  incident('CVE-2025-62727', async () => {
    const ranges = Array.from({ length: 2_000 }, (_, index) => `${index}-`).join()
    const answer = await exchange(
      url,
      rawRequest({ target: '/', host, headers: [`Range: bytes=${ranges}`, 'Accept-Encoding: identity'] }),
    )
    expect(statusesOf(answer)).toEqual([200])
    expect(answer.match(/<!doctype html>/gi)).toHaveLength(1)
  })
})

describe('WebSockets', () => {
  incident('CVE-2024-37890', async () => {
    // More than the 2,000 that Node keeps, and less than the 16 KiB that it reads.
    const headers = Array.from({ length: 2_500 }, () => 'a:b')
    const { socket, head } = await upgrade(url, { headers })
    socket.destroy()
    expect(statusesOf(head)[0] ?? 400).toBeGreaterThanOrEqual(400)
    await isUp()
  })

  incident('CVE-2026-48779', async () => {
    const { socket, head } = await upgrade(url)
    expect(statusesOf(head)).toEqual([101])
    const more = frame(Buffer.of(0x20), { opcode: 0, fin: false })
    socket.write(frame(Buffer.of(0x20), { fin: false }))
    socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => more)))
    expect(await closeCode(socket)).toBe(1008)
    await isUp()
  })

  incident('CVE-2026-42786', async () => {
    const { socket, head } = await upgrade(url)
    expect(statusesOf(head)).toEqual([101])
    const piece = Buffer.alloc(125, 0x20)
    const half = Buffer.alloc(60_000, 0x20)
    const long = Buffer.concat([
      Buffer.of(0x00, 0xfe, half.length >> 8, half.length & 0xff, 0, 0, 0, 0),
      half,
    ])
    socket.write(frame(piece, { fin: false }))
    socket.write(Buffer.concat(Array.from({ length: 80 }, () => long)))
    expect(await closeCode(socket)).toBe(1009)
  })
})

describe('names and paths', () => {
  incident('CVE-2024-32652', async () => {
    for (const [target, name] of [
      ['/', 'a b'],
      ['/', '[::1'],
      ['/', 'http://['],
      ['http://[/', host],
      ['http://a:b:c/', host],
      ['/%', host],
      ['/%ff%00', host],
    ] as const)
      expect(statusesOf(await exchange(url, rawRequest({ target, host: name })))[0], target + name).toSatisfy(
        (status: number) => status >= 400 && status < 500,
      )
    expect(statusesOf(await exchange(url, 'GET / HTTP/1.0\r\n\r\n'))[0]).not.toBe(500)
    await isUp()
  })

  incident('CVE-2026-21710', async () => {
    const names = ['__proto__: a', '__proto__: b', 'constructor: c', 'toString: d', 'hasOwnProperty: e']
    expect(
      statusesOf(await exchange(url, rawRequest({ target: '/v1/models', host, headers: names }))),
    ).toEqual([200])
    const head = posting('Transfer-Encoding: chunked', 'Trailer: __proto__', 'Connection: close')
    const body = '{"prompt":"a"}'
    const trailed = `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n__proto__: a\r\n\r\n`
    expect(statusesOf(await exchange(url, trailed))).toEqual([200])
    const { socket, head: answer } = await upgrade(url, { headers: names })
    socket.destroy()
    expect(statusesOf(answer)).toEqual([101])
  })

  incident('GHSA-crvj-82cr-hjcx', async () => {
    const target = '/api/v1/generate#?inputs=Hi&max_new_tokens=1'
    const answer = await exchange(url, rawRequest({ target, host }))
    expect(statusesOf(answer)[0]).toBe(400)
    expect(answer).not.toMatch(/"ok":true/)
  })

  incident('CVE-2026-44457', async () => {
    for (const path of [
      '/v1/models',
      '/v1/models/nothing',
      '/v1/nothing',
      '/api/v1/swarm',
      '/v1/answers/x/stream',
    ])
      expect((await fetch(url + path)).headers.get('cache-control'), path).toMatch(/no-store/)
  })
})

incident('CVE-2026-31949', async () => {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> }
  const routes = Object.keys(paths).map((path) => path.replaceAll(/\{\w+\}/g, 'x'))
  expect(routes.length).toBeGreaterThan(10)
  const bodies = [undefined, '', 'null', '[]', '""', '0', '{', '{"arg":null}', '\ufeff{}', '[[{}]]']
  const types = ['application/json', 'multipart/form-data', 'application/x-www-form-urlencoded', '']
  const faults: string[] = []
  for (const route of [...routes, '/', '/nowhere'])
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
      for (const [index, body] of bodies.slice(0, method === 'POST' ? undefined : 3).entries()) {
        const type = types[index % types.length]!
        const response = await fetch(url + route, {
          method,
          body: body ?? null,
          headers: type ? { 'content-type': type } : {},
        })
        if (response.status === 500 || response.status === 502)
          faults.push(`${method} ${route} ${body}: ${response.status}`)
        await response.body?.cancel()
      }
  expect(faults).toEqual([])
  await isUp()
})
