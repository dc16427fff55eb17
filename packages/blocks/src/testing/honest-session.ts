import { tinyRequests as requests } from './hostile-peer.ts'
import { noPrompts, noRows, outputsOf, type SessionClient, type SessionStream } from './session-client.ts'

const prompt = 4
/** Steps that are run again and again, at the same position. */
const variants = 3
/** The largest relative difference of two runs of one step: batches of sessions are added up in another order. */
const tolerance = 1e-5

/** A session that does what it should, and compares each output with what the server computed before it was attacked. */
export class HonestSession {
  readonly #stream: SessionStream
  readonly #expected: readonly Float32Array[]
  steps = 0
  worstMs = 0

  private constructor(stream: SessionStream, expected: readonly Float32Array[]) {
    this.#stream = stream
    this.#expected = expected
  }

  /** Opens a session, and learns what its steps give. */
  static async open(client: SessionClient): Promise<HonestSession> {
    const stream = await client.open()
    const session = new HonestSession(stream, await learn(stream))
    await session.step()
    return session
  }

  /** Opens another one, which waits for room, and has to give the same. */
  async openAnother(client: SessionClient, waitSeconds: number): Promise<void> {
    await using stream = await client.open()
    const outputs = await learn(stream, waitSeconds)
    outputs.forEach((output, variant) => this.#compare(output, variant))
  }

  /** Runs one step. @throws Error if its output is another one than before */
  async step(): Promise<void> {
    const startedAt = performance.now()
    const variant = this.steps++ % variants
    this.#compare(await outputOf(this.#stream, variant), variant)
    this.worstMs = Math.max(this.worstMs, performance.now() - startedAt)
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
