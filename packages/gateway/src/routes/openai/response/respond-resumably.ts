import { abortable } from '@petals-chat/engine'
import type { KeptAnswer } from '../../../answers/kept-answer.ts'
import type { GatewayContext } from '../../../context.ts'
import { eventStream, settledWithin } from './event-stream.ts'
import { errorFrame, type EventContext, type FrameProducer, streamOptions } from './stream-options.ts'

/**
 * Milliseconds that a failure may take to be answered with its own status. Then the response begins, even where the
 * request still waits in the queue: a client that is cut needs the id by then.
 */
const HEAD_START_MS = 1_000

type AnswerContext = Pick<GatewayContext, 'answers' | 'config'>

/** Fills `answer` with the frames that `produce` makes, however its readers come and go, and streams them to the first. */
export async function respondResumably(
  c: EventContext,
  context: AnswerContext,
  answer: KeptAnswer,
  produce: FrameProducer,
): Promise<Response> {
  const frames = produce(answer.signal)
  const first = frames.next()
  try {
    await abortable(settledWithin(first, HEAD_START_MS), c.var.signal)
  } catch (error) {
    // Nobody knows the id yet.
    answer.end(error)
    void answer.stop(error as Error)
    context.answers.forget(answer)
    throw error
  }
  void write(answer, first, frames, (error) => errorFrame(error, c.var))
  return streamAnswer(c, context, answer, 0)
}

/** The frames of `answer` after number `after`, then new ones as they come. */
export function streamAnswer(
  c: EventContext,
  { config }: AnswerContext,
  answer: KeptAnswer,
  after: number,
): Promise<Response> {
  // Only about the connection: at a shutdown the answer itself ends, and its reader gets to know why.
  const reader = new AbortController()
  return eventStream(numberedFrames(answer, after, reader.signal), {
    ...streamOptions(c, config),
    headers: { 'x-answer-id': answer.id },
    firstFrameWaitMs: 0,
    errorFrame: (error) => errorFrame(error, c.var),
    abort: (reason) => reader.abort(reason),
  })
}

async function* numberedFrames(answer: KeptAnswer, after: number, signal: AbortSignal) {
  using _reader = answer.attach()
  for await (const { number, text } of answer.log.read(after, signal)) {
    yield `id: ${answer.id}:${number}\n${text}`
  }
}

/** Never rejects. */
async function write(
  answer: KeptAnswer,
  first: Promise<IteratorResult<string>>,
  frames: AsyncGenerator<string>,
  frameOf: (error: unknown) => string,
): Promise<void> {
  try {
    for (let next = await first; !next.done; next = await frames.next()) answer.write(next.value)
    answer.end()
  } catch (thrown) {
    // An aborted answer fails in many ways; what matters is why it was aborted.
    const error: unknown = answer.signal.aborted ? answer.signal.reason : thrown
    answer.write(frameOf(error))
    answer.end(error)
  }
}
