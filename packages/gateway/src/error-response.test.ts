import { readFile } from 'node:fs/promises'
import {
  CapacityError,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  MissingBlocksError,
  ModelNotFoundError,
  ModelUnavailableError,
} from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import {
  describeError,
  type ErrorForm,
  errorForms,
  legacyErrorBody,
  openAIErrorBody,
  retryHeaders,
} from './error-response.ts'
import { ClientGoneError, GatewayError, ShuttingDownError } from './errors.ts'

const answer = (error: unknown) => {
  const description = describeError(error, 'request-1')
  return { ...description, body: openAIErrorBody(description), legacy: legacyErrorBody(description) }
}

describe('describeError', () => {
  it.each([
    [
      new InvalidRequestError('bad', { param: 'top_p', reason: 'invalid_value' }),
      400,
      'invalid_value',
      'top_p',
    ],
    [new InvalidRequestError('bad'), 400, 'invalid_request', null],
    [new ContextLengthError(30, 20), 400, 'context_length_exceeded', null],
    [new ModelNotFoundError('x', ['y']), 404, 'model_not_found', 'model'],
    [new CapacityError('busy'), 429, 'capacity', null],
    [new ModelUnavailableError('down'), 503, 'model_unavailable', null],
    [new MissingBlocksError([3], 'missing'), 503, 'missing_blocks', null],
    [new GenerationFailedError('broke'), 502, 'generation_failed', null],
    [new ShuttingDownError(), 503, 'shutting_down', null],
    [new ClientGoneError(), 499, 'client_gone', null],
    [new GatewayError('forbidden_origin', 'no'), 403, 'forbidden_origin', null],
  ])('gives %o its status, code and parameter', (error, status, code, param) => {
    const { body, ...description } = answer(error)
    expect(description.status).toBe(status)
    expect(body.error).toMatchObject({ code, param, message: error.message })
    expect(description.expected).toBe(true)
  })

  it('says nothing of an unknown error but the request id', () => {
    const { status, body, legacy, expected } = answer(new TypeError('secret of /etc/passwd'))
    expect(status).toBe(500)
    expect(expected).toBe(false)
    expect(body.error.code).toBe('internal_error')
    expect(body.error.message).toContain('request-1')
    expect(JSON.stringify([body, legacy])).not.toContain('secret')
  })

  it.each(['a string', undefined, null, 42, { message: 'secret' }])('survives %o being thrown', (thrown) => {
    expect(answer(thrown).status).toBe(500)
  })

  it("keeps the words that the original's page looks for", () => {
    expect(answer(new ContextLengthError(600, 512)).legacy.traceback).toMatch(/^Maximum length exceeded: 600/)
    expect(answer(new ContextLengthError(2, 1, 'Too long.')).legacy.traceback).toBe(
      'Maximum length exceeded: Too long.',
    )
    expect(answer(new CapacityError('All busy.')).legacy.traceback).toMatch(
      /attention cache is full.*All busy\./,
    )
  })

  it('says when to come again, for 429 and 503', () => {
    const retry = (error: unknown) => retryHeaders(describeError(error, ''))
    expect(retry(new CapacityError('busy', { retryAfterMs: 1500 }))).toEqual({
      'retry-after': '2',
      'retry-after-ms': '1500',
    })
    for (const error of [
      new ModelUnavailableError('x'),
      new MissingBlocksError([1], 'x'),
      new ShuttingDownError(),
    ]) {
      expect(Number(retry(error)['retry-after'])).toBeGreaterThan(0)
    }
    expect(retry(new InvalidRequestError('x'))).toEqual({})
  })
})

describe('docs/errors.md', () => {
  it('lists every error as the table has it', async () => {
    const text = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
    const rows = text.split('\n').flatMap((line) => {
      const cells = line.split('|').map((cell) => cell.trim())
      return /^`\w+`$/.test(cells[1] ?? '') ? [cells.slice(1, -1)] : []
    })
    const expected = Object.entries<ErrorForm>(errorForms).map(([code, { status, type, meaning }]) => [
      `\`${code}\``,
      String(status),
      `\`${type}\``,
      meaning,
    ])
    expect(rows).toEqual(expected)
  })
})
