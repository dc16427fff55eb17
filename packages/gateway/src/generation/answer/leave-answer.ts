/** Ends an answer that may have begun, and that nobody reads on: it would hold its session for good. */
export async function leaveAnswer(events: AsyncIterable<unknown>): Promise<void> {
  await events[Symbol.asyncIterator]().return?.()
}
