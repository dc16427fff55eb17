/**
 * A local substitute for the Hugging Face Hub: two real HTTP servers, the Hub and the storage ("CDN") to which it redirects
 * for large files. It implements what programs need to list and download models, including `huggingface_hub`, and injects
 * faults on request.
 *
 * ```ts
 * await using hub = await startHubServer()
 * hub.addRepository('owner/name', { files: { 'config.json': '{}', 'model.gguf': bytes } })
 * hub.inject({ on: 'cdn', times: 1, cutAfterBytes: 1000 })
 * // use hub.url as HF_ENDPOINT; hub.requests lists the requests
 * ```
 *
 * @packageDocumentation
 */
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Fault, type Injection, faultFor } from './hub-faults.ts'
import { answerCdn, answerHub } from './hub-routes.ts'
import { type HubState, type RepositoryOptions, createRepository } from './hub-state.ts'

export type { Fault, Injection } from './hub-faults.ts'
export type { FileContent, Gate, RepositoryOptions, ServedRequest } from './hub-state.ts'

export interface HubServer extends AsyncDisposable {
  /** For HF_ENDPOINT. */
  readonly url: string
  readonly cdnUrl: string
  /** All requests so far, oldest first. */
  readonly requests: HubState['requests']
  /** Adds a repository, or gives an existing one a new commit. Returns the commit. */
  addRepository(name: string, options: RepositoryOptions): string
  /** Makes the next matching requests fail. Injections are used up in the order in which they were added. */
  inject(injection: Injection): void
  /** Forgets requests and injections. */
  reset(): void
}

/** Starts both servers on free ports of 127.0.0.1. */
export async function startHubServer(): Promise<HubServer> {
  const injections: { -readonly [Key in keyof Injection]: Injection[Key] }[] = []
  const state: HubState = { repositories: new Map(), requests: [], cdnUrl: '', url: '' }
  const serve = (host: 'hub' | 'cdn'): Server =>
    createServer((request, response) => {
      const path = decodeURIComponent(request.url ?? '/')
      const { method = 'GET', headers } = request
      state.requests.push({ host, method, path, headers })
      const fault: Fault | undefined = faultFor(injections, { host, method, path })
      const answer = host === 'hub' ? answerHub : answerCdn
      answer(state, request, response, fault).catch((error: unknown) => response.destroy(error as Error))
    })
  const servers = [serve('hub'), serve('cdn')] as const
  const [url, cdnUrl] = await Promise.all(servers.map(listen))
  Object.assign(state, { url, cdnUrl })
  return {
    url: state.url,
    cdnUrl: state.cdnUrl,
    requests: state.requests,
    addRepository: (name, options) => createRepository(state, name, options),
    inject: (injection) => void injections.push({ times: 1, ...injection }),
    reset: () => {
      state.requests.length = 0
      injections.length = 0
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map(close))
    },
  }
}

async function listen(server: Server): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.on('error', reject).listen(0, '127.0.0.1', resolve)
  await promise
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeAllConnections()
  return promise
}
