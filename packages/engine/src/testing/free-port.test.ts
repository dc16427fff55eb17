import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePort } from './free-port.ts'

describe('a free port', () => {
  it('can be listened on, and is none that the system gives to other listeners and connections', async () => {
    const port = await freePort()
    await using server = createServer()
    await once(server.listen(port, '127.0.0.1'), 'listening')
    await using other = createServer()
    await once(other.listen(0, '127.0.0.1'), 'listening')
    expect(port).toBeLessThan(32_768)
    expect((other.address() as AddressInfo).port).toBeGreaterThanOrEqual(32_768)
  })
})
