/** Something stands in the way of a server; the message says what, and what to do. */
export class ContributeError extends Error {
  override readonly name = 'ContributeError'
}
