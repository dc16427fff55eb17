import { setImmediate } from 'node:timers/promises'
import {
  ModelUnavailableError,
  type AbortOptions,
  type ModelFiles,
  type TokenId,
  type Tokenizer,
} from '@petals-chat/engine'
import { readArchitecture } from '../layers/architecture.ts'
import { openTokenizer } from '../layers/tokenizer.ts'

/** Tokens that are compared before other work of this process has its turn: less than a millisecond. */
const tokensAtOnce = 512

/** Characters of a token that a message shows. */
const shownCharacters = 40

/**
 * Compares the vocabulary of a draft model with that of the model that it drafts for, token by token: its guesses are ids,
 * which must mean the same. Ids without a text, which fill vocabularies up to a round size, may be missing.
 * @throws ModelUnavailableError that names the first id that differs
 */
export async function requireSameTokens(own: Tokenizer, draft: Tokenizer): Promise<void> {
  for (let token = 0; token < own.vocabSize; token++) {
    if (token % tokensAtOnce === 0) await setImmediate()
    const [expected, found] = [bytesOf(own, token), bytesOf(draft, token)]
    if (!expected.equals(found)) throw differs(token, expected, found)
  }
}

/**
 * Checks whether a draft model fits a model of a swarm, by the vocabulary in the model's files.
 * @throws ModelUnavailableError that names the first id that differs, or the file that is missing
 */
export async function requireFittingDraft(
  files: ModelFiles,
  draft: Tokenizer,
  options: AbortOptions = {},
): Promise<void> {
  const architecture = await readArchitecture(files, options)
  const { tokenizer } = await openTokenizer(files, architecture, undefined, options)
  await requireSameTokens(tokenizer, draft)
}

const nothing = Buffer.alloc(0)

function bytesOf(tokenizer: Tokenizer, token: TokenId): Buffer {
  if (token >= tokenizer.vocabSize) return nothing
  const bytes = tokenizer.bytesOf?.(token)
  return bytes ? Buffer.from(bytes) : Buffer.from(tokenizer.decode([token]))
}

const differs = (token: TokenId, expected: Buffer, found: Buffer): ModelUnavailableError =>
  new ModelUnavailableError(
    `its vocabulary is another one: token ${token} is ${shown(found)} there, and ${shown(expected)} in the model. Use a ` +
      'draft model of the same family, with the same tokenizer',
  )

const shown = (bytes: Buffer): string =>
  bytes.length === 0 ? 'missing' : JSON.stringify(bytes.toString().slice(0, shownCharacters))
