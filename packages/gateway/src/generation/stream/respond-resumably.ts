import { abortable } from '@petals-chat/engine'
import type { KeptAnswer } from '../../answers/kept-answer.ts'
import type { GatewayContext } from '../../context.ts'
import { eventStream, settledWithin } from './event-stream.ts'
import {
  errorFrame,
  type EventContext,
  type FrameProducer,
  type StreamDialect,
  streamOptions,
} from './stream-options.ts'

/**
 * Milliseconds within which a failure is answered with its own status. Then the response begins, even if the request is
 * still in the queue: a client that loses its connection needs the id by then.
 */
const HEAD_START_MS = 1_000

type AnswerContext = Pick<GatewayContext, 'answers' | 'config'>

/** An answer that outlives its connection, and how its stream is written. */
export interface KeptStream {
  readonly answer: KeptAnswer
  readonly dialect: StreamDialect
}

/** Fills `answer` with the frames that `produce` yields, whatever its readers do, and streams them to the first reader. */
export async function respondResumably(
  c: EventContext,
  context: AnswerContext,
  { answer, dialect }: KeptStream,
  produce: FrameProducer,
): Promise<Response> {
  const frames = produce(answer.signal, answer)
  const first = frames.next()
  try {
    await abortable(settledWithin(first, HEAD_START_MS), c.var.signal)
  } catch (error) {
    // No client has the id yet.
    answer.end(error)
    void answer.stop(error as Error)
    context.answers.forget(answer)
    throw error
  }
  void answer.run(continued(first, frames), (error) => errorFrame(error, c.var, dialect))
  return streamAnswer(c, context, { answer, dialect }, 0)
}

/** Streams the frames of `answer` after number `after`, then new ones as they come. */
export function streamAnswer(
  c: EventContext,
  { config }: AnswerContext,
  { answer, dialect }: KeptStream,
  after: number,
): Promise<Response> {
  // This signal concerns only the connection: at a shutdown the answer itself ends, and its last frame says why.
  const reader = new AbortController()
  return eventStream(numberedFrames(answer, after, reader.signal), {
    ...streamOptions(c, config, dialect),
    headers: { 'x-answer-id': answer.id },
    firstFrameWaitMs: 0,
    errorFrame: (error) => errorFrame(error, c.var, dialect),
    abort: (reason) => reader.abort(reason),
  })
}

async function* numberedFrames(answer: KeptAnswer, after: number, signal: AbortSignal) {
  for await (const { number, text } of answer.read(after, signal)) {
    yield `id: ${answer.id}:${number}\n${text}`
  }
}

/** Yields the frames of a generator whose first result was already requested. */
async function* continued(first: Promise<IteratorResult<string>>, frames: AsyncGenerator<string>) {
  for (let next = await first; !next.done; next = await frames.next()) yield next.value
}
