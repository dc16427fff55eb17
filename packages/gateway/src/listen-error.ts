/** The server can't listen on the configured address. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}
