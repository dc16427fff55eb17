import assert from 'node:assert/strict'
import { ContextLengthError, InvalidRequestError } from '../../errors.ts'

type ErrorClass<T extends Error> = new (...args: never[]) => T

/** Returns the error that `work` rejects with; fails if it resolves, or rejects with an error of another class. */
export async function expectError<T extends Error>(
  work: () => Promise<unknown>,
  expected: ErrorClass<T>,
): Promise<T> {
  const outcome = await work().then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(outcome instanceof expected, `expected ${expected.name}, got ${String(outcome)}`)
  return outcome
}

export async function expectInvalid(work: () => Promise<unknown>, param: string): Promise<void> {
  const error = await expectError(work, InvalidRequestError)
  assert.equal(error.param, param, `the error must name '${param}': ${error.message}`)
}

export async function expectTooLong(work: () => Promise<unknown>): Promise<ContextLengthError> {
  const error = await expectError(work, ContextLengthError)
  assert.ok(error.requested > error.maximum, 'the error must give the requested and the maximum length')
  return error
}
