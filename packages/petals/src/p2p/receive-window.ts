import type { Stream, StreamMuxer } from '@libp2p/interface'

/** The parts of the streams and the muxer of `@chainsafe/libp2p-yamux` that are used: its types call them private. */
interface YamuxStream extends Stream {
  state: number
  recvWindow: number
  recvWindowCapacity: number
  sendWindowUpdate(): void
}

interface YamuxMuxer extends StreamMuxer {
  _newStream(...parameters: readonly unknown[]): YamuxStream
}

/** `StreamState` of streams whose window update carries a flag: `SYN` opens a stream, `ACK` accepts one. */
const [init, synReceived] = [0, 2]

/**
 * Gives each stream its whole receive window from the start, and renews it when a half is used up.
 *
 * The library begins with 256 KiB, tells the peer after each frame how much it has read, and doubles the window while frames
 * follow each other fast. So the outputs of a long prompt wait for several round trips, and each token of an answer costs
 * one more frame in each direction: encrypted, written and read by both sides. The yamux of Go and of Rust renew at a half, too
 * (hashicorp/yamux, stream.go, `sendWindowUpdate`).
 */
export function withWholeWindow(muxer: StreamMuxer, windowBytes: number): StreamMuxer {
  const own = muxer as YamuxMuxer
  const newStream = own._newStream.bind(own)
  own._newStream = (...parameters) => {
    const stream = newStream(...parameters)
    // The first update tells the difference from what peers begin with.
    stream.recvWindow = windowBytes
    const sendWindowUpdate = stream.sendWindowUpdate.bind(stream)
    stream.sendWindowUpdate = () => {
      if (isDue(stream)) sendWindowUpdate()
    }
    return stream
  }
  return muxer
}

const isDue = ({ state, recvWindow, recvWindowCapacity }: YamuxStream): boolean =>
  state === init || state === synReceived || recvWindow - recvWindowCapacity >= recvWindow / 2
