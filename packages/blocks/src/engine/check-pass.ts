import type { BlockEngineInfo, BlockPass, BlockStep } from './block-engine.ts'
import { InvalidPassError } from './errors.ts'

/** The session that a step belongs to. */
export interface SessionLimits {
  readonly start: number
  readonly end: number
  readonly batch: number
  readonly maxLength: number
  readonly position: number
}

/** Checks a pass before native code sees it, which would end the process. @throws InvalidPassError */
export function checkPass(info: BlockEngineInfo, pass: BlockPass): void {
  const { start, end, batch, tokens, states, prompts } = pass
  checkBlocks(info, start, end)
  require(isCount(batch) && isCount(tokens), 'It has no rows or no tokens.')
  const { maxBatchTokens, hiddenSize } = info
  require(batch * tokens <=
    maxBatchTokens, `It has ${batch * tokens} tokens; at most ${maxBatchTokens} are computed at once.`)
  require(states.length ===
    batch *
      tokens *
      hiddenSize, `Its hidden states have ${states.length} values, not ${batch} x ${tokens} x ${hiddenSize}.`)
  if (prompts) checkPrompts(info, pass, prompts)
}

/** @throws InvalidPassError */
export function checkBlocks(
  { start, end }: Pick<BlockEngineInfo, 'start' | 'end'>,
  from: number,
  to: number,
): void {
  require(Number.isInteger(from) &&
    Number.isInteger(to) &&
    start <= from &&
    from < to &&
    to <= end, `Blocks ${from}:${to} are not among ${start}:${end}, which this server holds.`)
}

function checkPrompts(
  { hiddenSize }: BlockEngineInfo,
  { start, end, batch, tokens }: BlockPass,
  { length, values }: NonNullable<BlockPass['prompts']>,
): void {
  require(isCount(length) && length <= tokens, `Deep prompts of ${length} tokens don't fit ${tokens} tokens.`)
  const single = (end - start) * length * hiddenSize
  require(values.length === single ||
    values.length ===
      single *
        batch, `Deep prompts have ${values.length} values, not ${end - start} x ${batch} x ${length} x ${hiddenSize}.`)
}

/** Checks a step of a session. @throws InvalidPassError */
export function checkStep(info: BlockEngineInfo, session: SessionLimits, step: BlockStep): void {
  checkPass(info, step)
  const { position = session.position, hypoIds, tokens, batch } = step
  checkBlocks(session, step.start, step.end)
  require(batch === session.batch, `It has ${batch} rows; the session was opened for ${session.batch}.`)
  require(Number.isInteger(position) &&
    position >= 0 &&
    position <= session.position, `It begins at position ${position}; the session is at ${session.position}.`)
  require(position + tokens <=
    session.maxLength, `It ends at position ${position + tokens}; the session was opened for ${session.maxLength}.`)
  const isRow = (row: number) => Number.isInteger(row) && row >= 0 && row < batch
  require(!hypoIds ||
    (hypoIds.length === batch && hypoIds.every(isRow)), 'Its hypo_ids are not rows of the session.')
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0

function require(condition: boolean, why: string): void {
  if (!condition) throw new InvalidPassError(`The pass can't be computed. ${why}`)
}
