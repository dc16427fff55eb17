import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject } from 'vitest'
import { testsOf } from '../support/incident.ts'
import { exchange, rawRequest, statusesOf } from '../support/raw-http.ts'
import { pathIncidents } from './paths.incidents.ts'

const url = inject('serverUrl')
const { host } = new URL(url)
const incident = testsOf(pathIncidents)

const webRoot = fileURLToPath(new URL('../../../packages/web/dist', import.meta.url))
const asset = readdirSync(path.join(webRoot, 'assets')).find((name) => name.endsWith('.css'))!

const get = (target: string, ...headers: readonly string[]): Promise<string> =>
  exchange(url, rawRequest({ target, host, headers }))
const statusOf = async (target: string): Promise<number> => statusesOf(await get(target))[0]!

/** Every way in which `dots` of a path was written in an attack, before a file that is there on every machine. */
const escapes = [
  '..',
  '%2e%2e',
  '.%2e',
  '%252e%252e',
  '..;',
  '....//',
  '%c0%ae%c0%ae',
  '..%00',
  '..%5c..',
  '..\\..',
]
const files = ['etc/passwd', 'package.json', 'proc/self/environ']

incident('CVE-2024-32869', async () => {
  for (const dots of escapes)
    for (const file of files)
      for (const start of ['/', '/assets/', '/assets/x/'])
        for (const target of [`${start}${`${dots}/`.repeat(6)}${file}`, `${start}${dots}/${file}`])
          expect(await statusOf(target), target).toBeGreaterThanOrEqual(400)
})

incident('CVE-2026-29087', async () => {
  expect(await statusOf(`/assets/${asset}`)).toBe(200)
  for (const target of [
    `/assets%2F${asset}`,
    `%2Fassets/${asset}`,
    '/v1%2Fmodels',
    '/%2Fv1/models',
    '/v1%2fmodels',
  ])
    expect(await statusOf(target), target).toBeGreaterThanOrEqual(400)
})

incident('CVE-2026-29045', async () => {
  for (const target of [
    `/assets//${asset}`,
    `/assets/${asset}%00`,
    `/assets/${asset}/`,
    `/x/../assets%2f${asset}`,
  ])
    expect(await statusOf(target), target).toBe(404)
  // Whatever leads to an API leads to its checks: dots are resolved before both, escapes after neither.
  for (const target of [
    '/%76%31/models',
    '/assets/../v1/models',
    '/assets/%2e%2e/v1/models',
    '/%2e/v1/models',
  ]) {
    const answer = await get(target, 'Origin: https://evil.example')
    expect([403, 404], target).toContain(statusesOf(answer)[0])
  }
})

incident('CVE-2026-39406', async () => {
  for (const target of ['//v1/models', '/v1//models', '///v1///models', '/v1/models//', '//api//v1//swarm'])
    expect(statusesOf(await get(target, 'Origin: https://evil.example')), target).toEqual([403])
})

incident('CVE-2025-30208', async () => {
  const queries = ['?raw??', '?raw', '?import&raw??', '?url', '?.svg?.wasm?init', '?x=/etc/passwd']
  for (const query of queries) {
    expect(await statusOf(`/etc/passwd${query}`), query).toBe(404)
    expect(await statusOf(`/package.json${query}`), query).toBe(404)
    const page = await get(`/${query}`)
    expect(page, query).toMatch(/<!doctype html>/i)
    expect(page, query).not.toMatch(/root:/)
  }
})

incident('CVE-2025-31125', async () => {
  for (const target of [
    '/@fs/etc/passwd?inline&import',
    '/@fs//etc/passwd',
    '/@id/file:///etc/passwd',
    'file:///etc/passwd',
    '//etc/passwd',
    `/${webRoot}/index.html`,
    '/.env',
    '/.git/config',
    '/.vite/manifest.json',
  ])
    expect(await statusOf(target), target).toBeGreaterThanOrEqual(400)
})

incident('CVE-2025-27210', async () => {
  for (const target of [
    '/CON',
    '/AUX/../../package.json',
    '/assets\\..\\..\\package.json',
    '/C:/Windows/win.ini',
  ])
    expect(await statusOf(target), target).toBeGreaterThanOrEqual(400)
})

/** What the server says of a model, without its name. */
async function refusal(model: string): Promise<string> {
  const response = await fetch(`${url}/v1/models/${encodeURIComponent(model)}`)
  return `${response.status} ${(await response.text()).replaceAll(model, 'MODEL')}`
}

incident('CVE-2024-39722', async () => {
  const answers = await Promise.all(
    ['/etc/passwd', '/etc/nothing-there', '../../etc/passwd', '../../etc/nothing-there', webRoot].map(
      refusal,
    ),
  )
  expect(new Set(answers).size, answers.join('\n')).toBe(1)
})

incident('CVE-2024-39721', async () => {
  for (const model of ['/dev/random', 'file:///dev/zero', '/proc/self/mem'])
    expect(await refusal(model)).toMatch(/^404 .*"model_not_found"/)
})

incident('CVE-2025-59426', async () => {
  for (const target of [
    '//evil.example',
    '//evil.example/',
    '/\\evil.example',
    '/chat',
    '/?redirect=https://evil.example',
  ])
    for (const headers of [[], ['X-Forwarded-Host: evil.example'], ['X-Forwarded-Prefix: //evil.example']])
      expect(await get(target, ...headers), target).not.toMatch(/^location:/im)
})
