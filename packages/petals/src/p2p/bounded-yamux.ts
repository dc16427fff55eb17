import { yamux, type YamuxMuxerInit } from '@chainsafe/libp2p-yamux'
import type { NewStreamOptions, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { FrameBound, type ReadableBytes } from './frame-bound.ts'
import { withWholeWindow } from './receive-window.ts'

/**
 * yamux whose streams receive up to `windowBytes` at once, and which loses the connection to a peer that announces a frame of
 * more than that. The library itself buffers a frame of any length, up to 4 GiB, before it compares the length with the
 * window. Its streams can be opened without a negotiation, for callers that negotiate themselves.
 */
export function boundedYamux(init: YamuxMuxerInit, windowBytes: number): () => StreamMuxerFactory {
  const createFactory = yamux({
    ...init,
    streamOptions: { maxStreamWindowSize: windowBytes, maxReadBufferLength: windowBytes },
  })
  return () => {
    const factory = createFactory()
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection) {
        const bound = new FrameBound(windowBytes)
        // Registered before the library's own listener, so this one sees the bytes first.
        connection.addEventListener('message', ({ data }: { readonly data: ReadableBytes }) => {
          const length = bound.firstBeyond(data)
          if (length === undefined) return
          connection.abort(
            new Error(`The peer announced a frame of ${length} bytes; ${windowBytes} are allowed.`),
          )
        })
        return withEarlyStreams(withWholeWindow(factory.createStreamMuxer(connection), windowBytes))
      },
    }
  }
}

/**
 * Implements libp2p's option `negotiateFully: false`, which version 3 declares and ignores: its connections negotiate over every
 * stream that comes from the muxer without a protocol. This one has it from the start, and the opener sends the header.
 */
function withEarlyStreams(muxer: StreamMuxer): StreamMuxer {
  const createStream = muxer.createStream.bind(muxer)
  muxer.createStream = async (options: Parameters<typeof createStream>[0] & NewStreamOptions = {}) => {
    const stream = await createStream(options)
    if (options.negotiateFully === false && options.protocol) stream.protocol = options.protocol
    return stream
  }
  return muxer
}
