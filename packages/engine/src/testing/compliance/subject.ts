import type { GeneratedToken, GenerateOptions, Model, Session } from '../../engine.ts'
import { greedy } from '../../sampling-params.ts'
import type { TokenId } from '../../tokenizer.ts'

/** A loaded model under test. Disposing it closes everything behind it. */
export interface ComplianceSubject extends AsyncDisposable {
  readonly model: Model
}

/** Called once. All tests use its subject one after another, and close the sessions that they open. */
export type ComplianceFactory = () => Promise<ComplianceSubject>

export interface ComplianceOptions {
  /** Texts for the model to continue (default: a few English ones). At least two. */
  readonly prompts?: readonly string[] | undefined
  /**
   * Maximum difference between two log probabilities of the same token that were computed in batches of different sizes
   * (default 0.05).
   */
  readonly logprobTolerance?: number | undefined
  /** Limit of one test (default 120,000), only to detect hangs. */
  readonly timeoutMs?: number | undefined
}

/** The parts of a test framework that the suite needs; Vitest and Jest fit. Assertions are Node's own. */
export interface TestFramework {
  readonly describe: (name: string, define: () => void) => unknown
  readonly it: (name: string, run: () => Promise<void>, timeoutMs?: number) => unknown
  readonly beforeAll: (run: () => Promise<void>, timeoutMs?: number) => unknown
  readonly afterAll: (run: () => Promise<void>, timeoutMs?: number) => unknown
}

/** What each group of rules needs. */
export interface ComplianceContext {
  readonly rule: (name: string, run: () => Promise<void>) => void
  readonly model: () => Model
  /** Tokens of the prompts. */
  readonly prompts: () => readonly (readonly TokenId[])[]
  readonly logprobTolerance: number
}

/** Room for a short prompt and a short answer: small, so that engines with little memory for caches hold several. */
export const SESSION_LENGTH = 96

/** Runs `use` on a fresh session and closes it. */
export async function onSession<T>(
  model: Model,
  use: (session: Session) => Promise<T>,
  maxLength = SESSION_LENGTH,
): Promise<T> {
  await using session = await model.openSession({ maxLength })
  return await use(session)
}

/** Returns the first `count` tokens of an answer, and then stops it. */
export async function take(
  session: Session,
  tokens: readonly TokenId[],
  count: number,
  options: Partial<GenerateOptions> = {},
): Promise<GeneratedToken[]> {
  const taken: GeneratedToken[] = []
  for await (const generated of session.generate(tokens, { sampling: greedy, ...options })) {
    taken.push(generated)
    if (taken.length === count) break
  }
  return taken
}

/** Like `take`, but returns only the ids. */
export async function takeIds(
  session: Session,
  tokens: readonly TokenId[],
  count: number,
  options?: Partial<GenerateOptions>,
): Promise<TokenId[]> {
  return (await take(session, tokens, count, options)).map(({ token }) => token)
}
