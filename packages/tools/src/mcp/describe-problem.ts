import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client'
import { connectionProblem } from '@petals-chat/engine'
import { cut } from '../bounds.ts'
import { BoundError } from './bounded-fetch.ts'

/** Characters of a server's own words. */
const MAX_WORDS = 500

/** Says what went wrong with a server, after "it". `secrets`: what its words must not contain. */
export function describeProblem(error: unknown, secrets: readonly string[]): string {
  for (const each of causes(error)) if (each instanceof BoundError) return each.message
  if (error instanceof SdkHttpError) return statusProblem(error.status ?? 0)
  if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout)
    return 'it did not answer in time'
  if (error instanceof ProtocolError) return `it reports an error: ${withoutSecrets(error.message, secrets)}`
  for (const each of causes(error)) {
    if (each.message === 'bad port')
      return 'its port is one that web clients never ask: let it listen on another one'
    if (each.name === 'TimeoutError') return 'it did not answer in time'
    if (
      'code' in each &&
      typeof each.code === 'string' &&
      /^[A-Z_]+$/.test(each.code) &&
      !(each instanceof SdkError)
    )
      return connectionProblem(each as Error & { code: string })
  }
  return 'its answers can’t be read as those of an MCP server'
}

function statusProblem(status: number): string {
  if (status === 401 || status === 403)
    return `it refuses this server (${status}). Set its headers in tools.servers of the configuration`
  if (status === 404 || status === 405)
    return `nothing for MCP is at its address (${status}). Check its url in tools.servers of the configuration`
  return `it answers with the status ${status}`
}

function* causes(error: unknown): Iterable<Error> {
  let each = error
  for (let depth = 0; each instanceof Error && depth < 5; depth++) {
    yield each
    each = each.cause
  }
}

const withoutSecrets = (words: string, secrets: readonly string[]): string =>
  cut(
    secrets.reduce((text, secret) => text.replaceAll(secret, '…'), words),
    MAX_WORDS,
  )
