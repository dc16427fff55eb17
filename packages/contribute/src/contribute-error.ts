/** A server can't run. The message states the reason and the remedy. */
export class ContributeError extends Error {
  override readonly name = 'ContributeError'
}
