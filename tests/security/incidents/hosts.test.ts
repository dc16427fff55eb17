import { describe, expect, inject } from 'vitest'
import WebSocket from 'ws'
import { testsOf } from '../support/incident.ts'
import { exchange, rawRequest, statusesOf } from '../support/raw-http.ts'
import { hostIncidents } from './hosts.incidents.ts'

const url = inject('serverUrl')
const { host, port } = new URL(url)
const incident = testsOf(hostIncidents)

const chat = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 })
const json = 'Content-Type: application/json'
const evil = 'Origin: https://evil.example'
const apis = ['/v1/models', '/v1/chat/completions', '/api/v1/generate', '/api/v1/swarm']

/** Posts to an API as a page would, and returns the whole response. */
const post = (headers: readonly string[], target = '/v1/chat/completions', name = host): Promise<string> =>
  exchange(url, rawRequest({ method: 'POST', target, host: name, headers, body: chat }))

/** The status with which the server refuses a WebSocket; 101 if it takes it. */
function upgradeStatus(headers: Readonly<Record<string, string>>): Promise<number> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v2/generate`, { headers })
  return new Promise((resolve, reject) => {
    socket.once('open', () => (socket.terminate(), resolve(101)))
    socket.once('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode ?? 0)
    })
    socket.once('error', reject)
  })
}

describe('names that lie', () => {
  incident('CVE-2024-28224', async () => {
    for (const target of ['/', '/healthz', '/metrics', '/openapi.json', ...apis])
      expect(statusesOf(await exchange(url, rawRequest({ target, host: `evil.example:${port}` })))).toEqual([
        403,
      ])
  })

  incident('CVE-2025-66414', async () => {
    const streams = JSON.stringify({ ...JSON.parse(chat), stream: true })
    const request = { method: 'POST', target: apis[1]!, host: 'evil.example', headers: [json], body: streams }
    expect(statusesOf(await exchange(url, rawRequest(request)))).toEqual([403])
    expect(await upgradeStatus({ host: 'evil.example' })).toBe(403)
    expect(await upgradeStatus({ host })).toBe(101)
  })

  incident('CVE-2026-49468', async () => {
    for (const name of [
      `${host}/#@evil.example`,
      `${host}/healthz?`,
      `${host}/healthz#`,
      `localhost:${port}/healthz/..`,
      `user@${host}`,
      `${host}\\healthz`,
    ])
      for (const target of apis) {
        const [status, ...more] = statusesOf(await exchange(url, rawRequest({ target, host: name })))
        expect([400, 403], `${name} ${target}`).toContain(status)
        expect(more).toEqual([])
      }
  })

  incident('CVE-2026-48710', async () => {
    for (const name of ['', ' ', 'a b', '%2e%2e', '[::1', '127.0.0.1:port', '127.0.0.1:99999999', '..', 'é'])
      expect(
        statusesOf(await exchange(url, rawRequest({ target: '/v1/models', host: name })))[0],
        name,
      ).toSatisfy((status: number) => status === 400 || status === 403)
    const two = `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`
    expect(statusesOf(await exchange(url, two))).not.toContain(200)
  })
})

describe('pages of other sites', () => {
  incident('CVE-2025-34291', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      `http://evil.${host}`,
      `http://${host}.evil.example`,
    ]) {
      const answer = await post([json, `Origin: ${origin}`, 'Cookie: session=1'])
      expect(statusesOf(answer)).toEqual([403])
      expect(answer).not.toMatch(/access-control-allow/i)
    }
    const preflight = rawRequest({
      method: 'OPTIONS',
      target: apis[1]!,
      host,
      headers: [evil, 'Access-Control-Request-Method: POST', 'Access-Control-Request-Private-Network: true'],
    })
    expect(await exchange(url, preflight)).not.toMatch(/access-control-allow/i)
  })

  incident('CVE-2025-49596', async () => {
    expect(statusesOf(await post([json, evil], apis[1], `0.0.0.0:${port}`))).toEqual([403])
    const get = rawRequest({
      target: '/api/v1/generate?inputs=Hi&max_new_tokens=1',
      host: `0.0.0.0:${port}`,
      headers: ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'],
    })
    expect(statusesOf(await exchange(url, get))).toEqual([403])
  })

  incident('GHSA-67mh-4wv8-2f99', async () => {
    const index = await (await fetch(`${url}/`)).text()
    const [, script] = /src="\.?\/?(assets\/[^"]+)"/.exec(index)!
    for (const target of ['/', `/${script}`, '/metrics', '/healthz', '/openapi.json', ...apis]) {
      const answer = await exchange(url, rawRequest({ target, host, headers: [evil] }))
      expect(answer, target).not.toMatch(/access-control-allow-origin/i)
      expect(answer, target).toMatch(/cross-origin-resource-policy: same-origin/i)
    }
  })

  incident('CVE-2025-24964', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      'http://localhost:1',
      `http://${host}.evil.example`,
    ])
      expect(await upgradeStatus({ origin }), origin).toBe(403)
    expect(await upgradeStatus({ origin: url })).toBe(101)
  })

  incident('CVE-2024-43787', async () => {
    for (const type of [
      'APPLICATION/X-WWW-FORM-URLENCODED',
      'Multipart/Form-Data; boundary=x',
      'text/plain;charset=UTF-8',
      'TEXT/PLAIN',
    ])
      for (const target of ['/v1/chat/completions', '/api/v1/generate'])
        expect(statusesOf(await post([`Content-Type: ${type}`, evil], target)), type).toEqual([403])
  })

  incident('CVE-2024-48913', async () => {
    for (const headers of [[evil], ['Sec-Fetch-Site: cross-site'], ['Sec-Fetch-Site: same-site']])
      for (const target of ['/v1/chat/completions', '/api/v1/generate'])
        expect(statusesOf(await post(headers, target))).toEqual([403])
  })
})

describe('headers of other layers', () => {
  incident('CVE-2025-29927', async () => {
    const internal = ['x-middleware-subrequest: middleware:middleware', 'x-middleware-prefetch: 1']
    const overriding = ['X-HTTP-Method-Override: GET', 'X-Original-URL: /healthz', 'X-Rewrite-URL: /healthz']
    for (const header of [...internal, ...overriding])
      expect(statusesOf(await post([json, evil, header])), header).toEqual([403])
  })

  incident('GHSA-xh87-mx6m-69f3', async () => {
    const forwarded = [
      'X-Forwarded-For: 127.0.0.1',
      `X-Forwarded-Host: ${host}`,
      `Forwarded: for=127.0.0.1;host=${host}`,
      'X-Real-IP: 127.0.0.1',
    ]
    for (const header of forwarded) {
      expect(statusesOf(await post([json, header], apis[1], 'evil.example')), header).toEqual([403])
      expect(statusesOf(await post([json, evil, header])), header).toEqual([403])
    }
  })

  incident('CVE-2025-23042', async () => {
    for (const target of ['/V1/models', '/v1/MODELS', '/API/v1/generate', '/Metrics']) {
      expect(statusesOf(await exchange(url, rawRequest({ target, host }))), target).toEqual([404])
    }
  })

  incident('CVE-2025-58362', async () => {
    const targets = [
      'http://localhost?x=/v1/models',
      'http://localhost#/v1/models',
      `http://evil.example/v1/models`,
      '//evil.example/v1/models',
      '/v1//models',
      '/%76%31/models',
      '/healthz/../v1/models',
      '/healthz/%2e%2e/v1/models',
      'x:/v1/models',
      '*',
    ]
    for (const target of targets) {
      const answer = await exchange(url, rawRequest({ target, host, headers: [evil] }))
      expect(answer, target).not.toMatch(/"object":"list"/)
      expect(statusesOf(answer)[0], target).toSatisfy((status: number) => status !== 500)
    }
  })
})
