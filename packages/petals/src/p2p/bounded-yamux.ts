import { yamux, type YamuxMuxerInit } from '@chainsafe/libp2p-yamux'
import type { StreamMuxerFactory } from '@libp2p/interface'
import { FrameBound, type ReadableBytes } from './frame-bound.ts'

/**
 * yamux, which loses the connection to a peer that announces a frame of more than `maxFrameBytes`. The library itself
 * buffers a frame of any length, up to 4 GiB, before it compares the length with the window.
 */
export function boundedYamux(init: YamuxMuxerInit, maxFrameBytes: number): () => StreamMuxerFactory {
  const createFactory = yamux(init)
  return () => {
    const factory = createFactory()
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection) {
        const bound = new FrameBound(maxFrameBytes)
        // Registered before the library's own listener, so this one sees the bytes first.
        connection.addEventListener('message', ({ data }: { readonly data: ReadableBytes }) => {
          const length = bound.firstBeyond(data)
          if (length === undefined) return
          connection.abort(
            new Error(`The peer announced a frame of ${length} bytes; ${maxFrameBytes} are allowed.`),
          )
        })
        return factory.createStreamMuxer(connection)
      },
    }
  }
}
