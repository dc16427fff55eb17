/** Ends an answer that may have begun, and that has no reader any more: it would hold its session for good. */
export async function leaveAnswer(events: AsyncIterable<unknown>): Promise<void> {
  await events[Symbol.asyncIterator]().return?.()
}
