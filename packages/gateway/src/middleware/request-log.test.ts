import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { startTestServer } from '../fixtures/test-server.ts'

it.each(['content-length: 500000', 'transfer-encoding: chunked'])(
  'a request is counted whose client goes away within its body (%s)',
  async (framing) => {
    await using server = await startTestServer()
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n${framing}\r\n\r\n`)
    const part = 'x'.repeat(100_000)
    socket.write(framing.startsWith('content') ? part : `${part.length.toString(16)}\r\n${part}\r\n`)
    await vi.waitFor(() => expect(socket.bytesWritten).toBeGreaterThan(part.length))
    await sleep(100) // the server reads it
    socket.resetAndDestroy()
    await once(socket, 'close')
    await vi.waitFor(async () =>
      expect(
        await server.figure('petals_chat_http_requests_total{method="POST",route="/*",status="499"'),
      ).toBe(1),
    )
  },
)
