import { ConnectionLostError } from '@petals-chat/petals/protocol'
import { tinyRequests as requests } from './hostile-peer.ts'
import { noPrompts, noRows, outputsOf, type SessionClient, type SessionStream } from './session-client.ts'

const prompt = 4
/** Steps that are run again and again, at the same position. */
const variants = 3
/** The largest relative difference of two runs of one step: batches of sessions are added up in another order. */
const tolerance = 1e-5
/** How long the client may have to wait for room when its session has ended. */
const reopenSeconds = 60

/** A session that does what it should, and compares each output with what the server computed before it was attacked. */
export class HonestSession implements AsyncDisposable {
  readonly #client: SessionClient
  readonly #idleMs: number
  readonly #expected: readonly Float32Array[]
  #stream: SessionStream
  /** When it last asked for something: the server has seen nothing of it since then at most. */
  #askedAt = performance.now()
  steps = 0
  worstMs = 0

  private constructor(
    client: SessionClient,
    idleMs: number,
    stream: SessionStream,
    expected: readonly Float32Array[],
  ) {
    this.#client = client
    this.#idleMs = idleMs
    this.#stream = stream
    this.#expected = expected
  }

  /**
   * Opens a session, and learns what its steps give.
   * @param idleMs a session that was silent for so long may be ended for others. That can happen to this one on a busy machine:
   *   then it is opened again, as clients do
   */
  static async open(client: SessionClient, idleMs: number): Promise<HonestSession> {
    const stream = await client.open()
    const session = new HonestSession(client, idleMs, stream, await learn(stream))
    await session.step()
    return session
  }

  /** Opens another one, which waits for room, and has to give the same. */
  async openAnother(client: SessionClient, waitSeconds: number): Promise<void> {
    await using stream = await client.open()
    await this.#compareAll(stream, waitSeconds)
  }

  /** Runs one step. @throws Error if its output is another one than before, or the session was ended although it was in use */
  async step(): Promise<void> {
    const startedAt = performance.now()
    const variant = this.steps % variants
    try {
      this.#compare(await outputOf(this.#stream, variant), variant)
      this.#askedAt = startedAt
      this.steps++
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error
      const silentMs = performance.now() - this.#askedAt
      if (silentMs < this.#idleMs)
        throw new Error(`An honest session was ended ${Math.round(silentMs)} ms after a step.`, {
          cause: error,
        })
      await this.#reopen()
    }
    this.worstMs = Math.max(this.worstMs, performance.now() - startedAt)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]()
  }

  async #reopen(): Promise<void> {
    await this.#stream[Symbol.asyncDispose]()
    this.#stream = await this.#client.open()
    this.#askedAt = performance.now()
    await this.#compareAll(this.#stream, reopenSeconds)
  }

  async #compareAll(stream: SessionStream, waitSeconds: number): Promise<void> {
    const outputs = await learn(stream, waitSeconds)
    outputs.forEach((output, variant) => this.#compare(output, variant))
  }

  #compare(output: Float32Array, variant: number): void {
    const expected = this.#expected[variant]!
    const difference = Math.hypot(...output.map((value, index) => value - expected[index]!))
    if (!(difference <= tolerance * Math.hypot(...expected)))
      throw new Error(`An honest session got a wrong output: it differs by ${difference}.`)
  }
}

async function learn(stream: SessionStream, waitSeconds = 0): Promise<readonly Float32Array[]> {
  const terms = { max_length: 64, alloc_timeout: waitSeconds }
  await stream.send(requests.of(terms, [requests.states(prompt, { seed: 50 }), noPrompts, noRows]))
  await stream.receive()
  const outputs: Float32Array[] = []
  for (let variant = 0; variant < variants; variant++) outputs.push(await outputOf(stream, variant))
  return outputs
}

async function outputOf(stream: SessionStream, variant: number): Promise<Float32Array> {
  const states = requests.states(1, { seed: 51 + variant })
  await stream.send(requests.of({ start_from_position: prompt }, [states, noPrompts, noRows]))
  return outputsOf(await stream.receive())
}
