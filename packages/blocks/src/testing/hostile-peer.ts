import { encodeFrameHeader, endOfInput, markers } from '../../../petals/src/rpc/framing.ts'
import { encodeTensor } from '../../../petals/src/tensor/codecs/index.ts'
import { floatTensor } from '../../../petals/src/tensor/tensor.ts'
import {
  encodeExpertRequest,
  type ExpertRequest,
  type TensorMessage,
} from '../../../petals/src/wire/runtime.ts'
import { noPrompts, noRows, Requests, SessionClient } from './session-client.ts'
import { tiny } from './tiny-model.ts'

/** Requests to the blocks of `ServerProcess`. */
export const tinyRequests = new Requests(
  Array.from({ length: tiny.blocks }, (_, block) => `Tiny-hf.${block}`).join(' '),
  tiny.hidden,
)

const frame = (request: ExpertRequest): readonly Uint8Array[] => {
  const payload = encodeExpertRequest(request)
  return [encodeFrameHeader({ marker: markers.message, length: payload.byteLength }), payload]
}

const floats = (values: Float32Array, size: readonly number[]): TensorMessage =>
  encodeTensor(floatTensor(values, size))

/** Requests that ask for something wrong, or for what no engine should compute unseen. */
export function badTensors(): readonly ExpertRequest[] {
  const { hidden } = tiny
  const [states, opening] = [tinyRequests.states(2), { max_length: 32 }]
  const first = (tensor: TensorMessage): ExpertRequest =>
    tinyRequests.of(opening, [tensor, noPrompts, noRows])
  return [
    first(floats(new Float32Array(2 * hidden).fill(NaN), [1, 2, hidden])),
    first(floats(new Float32Array(2 * hidden).fill(Infinity), [1, 2, hidden])),
    first(floats(new Float32Array(2 * hidden).fill(3e38), [1, 2, hidden])),
    first(floats(new Float32Array(2 * (hidden + 1)), [1, 2, hidden + 1])),
    first({ ...states, size: [1, 2 ** 31, hidden] }),
    first({ ...states, size: [2 ** 40, 2, hidden] }),
    first({ ...states, size: [1, -2, hidden] }),
    first({ ...states, size: [] }),
    first({ ...states, size: Array<number>(1000).fill(1) }),
    first({ ...states, dtype: 'complex128' }),
    first({ ...states, dtype: 'int64' }),
    first({ ...states, compression: 1 }),
    first({ ...states, compression: 3 }),
    first({ ...states, compression: 4, buffer: new Uint8Array(200_000) }),
    first({ ...states, compression: 5, buffer: Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127) }),
    first({ ...states, buffer: new Uint8Array(0) }),
    tinyRequests.of(opening, []),
    tinyRequests.of(opening, Array<TensorMessage>(2000).fill(noRows)),
    tinyRequests.of(opening, [states, noPrompts, noPrompts]),
    tinyRequests.of(opening, [states, floats(new Float32Array(9 * hidden), [9, 1, 1, hidden]), noRows]),
    tinyRequests.of(opening, [states, { ...states, size: [4, 2 ** 31, 2 ** 31, hidden] }, noRows]),
    tinyRequests.of(opening, [
      states,
      noPrompts,
      { ...noRows, size: [1], buffer: new Uint8Array(8).fill(255) },
    ]),
    tinyRequests.of({ ...opening, args_structure: [[new Uint8Array([95, 95, 84, 57])], new Map()] }),
    tinyRequests.of({ ...opening, session_id: 'x'.repeat(60_000) }),
    tinyRequests.of({ ...opening, padding: new Uint8Array(100_000) }),
    tinyRequests.of({ max_length: 2 ** 53 }),
    tinyRequests.of({ max_length: -5 }),
    tinyRequests.of({ max_length: 1.5 }),
    tinyRequests.of(opening, undefined, 'Tiny-hf.0 '.repeat(20_000)),
    tinyRequests.of(opening, undefined, 'Tiny-hf.4'),
    { ...tinyRequests.of(opening), metadata: new Uint8Array(3000).fill(0x91) },
    { ...tinyRequests.of(opening), metadata: Uint8Array.of(0xdf, 255, 255, 255, 255) },
  ]
}

/** Steps of a session of 8 tokens that begin where no step may, or end after the session. Each has to end the session. */
export function wrongPositions(): readonly ExpertRequest[] {
  const at = (position: unknown, tokens = 1): ExpertRequest =>
    tinyRequests.of({ start_from_position: position as number }, [
      tinyRequests.states(tokens),
      noPrompts,
      noRows,
    ])
  return [at(9), at(-1), at(0.5), at('0'), at(2 ** 53), at(NaN), at(null), at(0, 9), at(2, 40)]
}

/** What a peer does with a session that it opens. */
export type Misuse = 'left' | 'ended' | 'reset' | 'half-open' | 'silent' | 'unread' | 'waiting'
export const misuses: readonly Misuse[] = [
  'left',
  'ended',
  'reset',
  'half-open',
  'silent',
  'unread',
  'waiting',
]

/** Streams that a hostile peer keeps before it drops the oldest one: fewer than a server allows, so that it can open new ones. */
const keptStreams = 400
/** Steps of a session whose answers are never read. */
const unreadSteps = 40

const announcement = encodeFrameHeader({ marker: markers.message, length: 5_000_000 })
const burst = 500

type Kept = Awaited<ReturnType<SessionClient['raw']>>

/** A peer that takes what it can get of a server, and gives nothing back by itself. */
export class HostilePeer implements AsyncDisposable {
  readonly #client: SessionClient
  readonly #kept: Kept[] = []
  readonly #over = new AbortController()
  /** Sessions that the server has answered. */
  answered = 0

  private constructor(client: SessionClient) {
    this.#client = client
  }

  static async connect(addresses: readonly string[]): Promise<HostilePeer> {
    return new HostilePeer(await SessionClient.connect(addresses))
  }

  /** Sends each of these as the first request of a session of its own, and returns how many were answered without an error. */
  async sendFirst(requests: readonly ExpertRequest[]): Promise<number> {
    const answers = await Promise.allSettled(requests.map((request) => this.#client.ask(request)))
    return answers.filter(({ status }) => status === 'fulfilled').length
  }

  /** Opens a session of 8 tokens, takes 4 of them, and sends this step. Returns whether it was answered. */
  async sendSecond(step: ExpertRequest): Promise<boolean> {
    await using session = await this.#client.open()
    await session.send(tinyRequests.of({ max_length: 8 }, [tinyRequests.states(4), noPrompts, noRows]))
    await session.receive()
    await session.send(step)
    return await session.receive().then(
      () => true,
      () => false,
    )
  }

  /** Announces a message of five megabytes, and sends a part of it, without an end. */
  async sendEndless(bytes: number): Promise<void> {
    const stream = await this.#keep()
    await stream?.write([announcement, new Uint8Array(bytes)]).catch(() => {})
  }

  /** The same, in frames of a byte each. */
  async sendBytesOneByOne(bytes: number): Promise<void> {
    const stream = await this.#keep()
    if (!stream) return
    const { signal } = this.#over
    const one = Uint8Array.of(1)
    try {
      await stream.write(announcement)
      for (let sent = 0; sent < bytes; sent += burst)
        await Promise.all(Array.from({ length: burst }, () => stream.write(one, { signal })))
    } catch {
      // The server has ended the stream.
    }
  }

  /** Resets all of its streams. */
  drop(): void {
    for (const stream of this.#kept.splice(0)) stream.abort(new Error('dropped'))
  }

  async openSession(misuse: Misuse): Promise<void> {
    const stream = await this.#keep()
    if (!stream) return
    try {
      await this.#misuse(stream, misuse)
    } catch {
      // The server has ended the stream.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new Error('The peer leaves.'))
    await this.#client[Symbol.asyncDispose]()
  }

  async #misuse(stream: Kept, misuse: Misuse): Promise<void> {
    const opening = frame(tinyRequests.of({ max_length: 32 }))
    switch (misuse) {
      case 'left':
        return await this.#writeAndCount(stream, opening)
      case 'ended':
        return await this.#writeAndCount(stream, [...opening, endOfInput])
      case 'reset':
        await stream.write(opening)
        return stream.abort(new Error('reset'))
      case 'half-open':
        return await stream.write(opening.slice(0, 1))
      case 'silent':
        return
      case 'unread': {
        const steps = Array.from({ length: unreadSteps }, () =>
          frame(tinyRequests.of({ start_from_position: 0 })),
        )
        return await stream.write([...opening, ...steps.flat()])
      }
      case 'waiting':
        return await stream.write(frame(tinyRequests.of({ max_length: 4096, alloc_timeout: 600 })))
    }
  }

  async #writeAndCount(stream: Kept, bytes: readonly Uint8Array[]): Promise<void> {
    stream.read(1).then(
      ([marker]) => marker === markers.message && this.answered++,
      () => {},
    )
    await stream.write(bytes)
  }

  async #keep(): Promise<Kept | undefined> {
    if (this.#kept.length >= keptStreams) this.#kept.shift()!.abort(new Error('too many'))
    try {
      const stream = await this.#client.raw()
      this.#kept.push(stream)
      return stream
    } catch {
      return undefined // the server has too many of them
    }
  }
}
