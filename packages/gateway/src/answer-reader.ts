/** The reader of an answer while it is generated: the client of one request, or those that resume it. */
export interface AnswerReader {
  /** Milliseconds that an answer which may be resumed has been without a reader; undefined while it has one. */
  readonly unreadMs: number | undefined
  /** Ends the answer in favour of those that are read. */
  giveWay(): void
}
