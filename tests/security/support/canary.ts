import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server on loopback that a tricked program would ask. */
export interface Canary extends AsyncDisposable {
  readonly port: number
  /** What was asked for so far. */
  readonly requests: readonly string[]
}

export async function startCanary(): Promise<Canary> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.writeHead(302, { location: '/again' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '::', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Every way in which an address of this machine was written past a filter. */
export const localUrls = (port: number): readonly string[] =>
  [
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    `[::1]:${port}`,
    `[::ffff:127.0.0.1]:${port}`,
    `[::ffff:7f00:1]:${port}`,
    `0.0.0.0:${port}`,
    `0:${port}`,
    `2130706433:${port}`,
    `0x7f000001:${port}`,
    `0177.0.0.1:${port}`,
    `127.1:${port}`,
    `public.example@127.0.0.1:${port}`,
    `public.example\\@127.0.0.1:${port}`,
  ].map((authority) => `http://${authority}/secret.png`)
