import { describe, expect, it } from 'vitest'
import type { GenerateOptions, GeneratedToken, Model, Session } from '../../engine.ts'
import { ContextLengthError } from '../../errors.ts'
import { modelSpecSchema } from '../../models/model-spec.ts'
import type { TokenId } from '../../tokenizer.ts'
import { ScriptedEngine } from '../scripted-engine.ts'
import { engineComplianceTests } from './engine-compliance-tests.ts'
import type { TestFramework } from './subject.ts'

type Generate = (tokens: readonly TokenId[], options: GenerateOptions) => AsyncIterable<GeneratedToken>

/** Returns the names of the rules that a model breaks. */
async function brokenRules(mutate: (model: Model) => Model): Promise<readonly string[]> {
  const engine = new ScriptedEngine({ maxSessions: 4 })
  const model = mutate(await engine.load(modelSpecSchema.parse({ id: 'm', engine: 'llama', source: 'none' })))
  const rules: { readonly name: string; readonly run: () => Promise<void> }[] = []
  const hooks: (() => Promise<void>)[] = []
  const framework: TestFramework = {
    describe: (_name, define) => define(),
    it: (name, run) => rules.push({ name, run }),
    beforeAll: (run) => hooks.push(run),
    afterAll: () => {},
  }
  engineComplianceTests('mutant', async () => ({ model, [Symbol.asyncDispose]: async () => {} }), framework)
  for (const run of hooks) await run()
  const broken: string[] = []
  for (const { name, run } of rules) await run().catch(() => broken.push(name))
  await engine[Symbol.asyncDispose]()
  return broken
}

const withModel =
  (changes: (model: Model) => Partial<Model>) =>
  (model: Model): Model => ({
    id: model.id,
    contextLength: model.contextLength,
    tokenizer: model.tokenizer,
    chatTemplate: model.chatTemplate,
    capabilities: model.capabilities,
    maxSessions: model.maxSessions,
    openSession: (options) => model.openSession(options),
    embed: (tokens, options) => model.embed!(tokens, options),
    status: (options) => model.status(options),
    [Symbol.asyncDispose]: () => Promise.resolve(model[Symbol.asyncDispose]()),
    ...changes(model),
  })

const withSession = (changes: (session: Session) => Partial<Session>) =>
  withModel((model) => ({
    async openSession(options) {
      const session = await model.openSession(options)
      const changed = changes(session)
      return {
        maxLength: session.maxLength,
        get tokens() {
          return changed.tokens ?? session.tokens
        },
        generate:
          changed.generate ?? ((tokens, generateOptions) => session.generate(tokens, generateOptions)),
        truncate: changed.truncate ?? ((length, abort) => session.truncate(length, abort)),
        score: changed.score ?? ((tokens, scoreOptions) => session.score!(tokens, scoreOptions)),
        [Symbol.asyncDispose]:
          changed[Symbol.asyncDispose] ?? (() => Promise.resolve(session[Symbol.asyncDispose]())),
      }
    },
  }))

const withGenerate = (change: (generate: Generate) => Generate) =>
  withSession((session) => ({ generate: change((tokens, options) => session.generate(tokens, options)) }))

/** Engines with one fault each, and a rule that must notice it. */
const mutants: Readonly<Record<string, readonly [rule: RegExp, mutate: (model: Model) => Model]>> = {
  'counts the last token as cached': [
    /last token is not in the cache/,
    withSession((session) => {
      let last: TokenId | undefined
      return {
        get tokens() {
          return last === undefined ? session.tokens : [...session.tokens, last]
        },
        async *generate(tokens, options) {
          for await (const generated of session.generate(tokens, options)) {
            last = generated.token
            yield generated
          }
        },
      }
    }),
  ],
  'ignores truncation': [
    /truncated session answers like a fresh one/,
    withSession(() => ({ truncate: async () => {} })),
  ],
  'ends at end tokens by itself': [
    /yields end tokens/,
    withModel((model) =>
      withGenerate(
        (generate) =>
          async function* (tokens, options) {
            for await (const generated of generate(tokens, options)) {
              if (model.tokenizer.eosTokens.has(generated.token)) return
              yield generated
            }
          },
      )(model),
    ),
  ],
  'ignores the signal': [
    /an abort during a step/,
    withGenerate((generate) => (tokens, options) => generate(tokens, { ...options, signal: undefined })),
  ],
  'wraps the reason': [
    /an abort during a step/,
    withGenerate(
      (generate) =>
        async function* (tokens, options) {
          try {
            yield* generate(tokens, options)
          } catch (cause) {
            throw options.signal?.aborted ? new Error('aborted', { cause }) : cause
          }
        },
    ),
  ],
  'ignores the seed': [
    /same seed gives the same answer/,
    withGenerate(
      (generate) => (tokens, options) =>
        generate(tokens, { ...options, sampling: { ...options.sampling, seed: undefined } }),
    ),
  ],
  'ends without an error when the session is full': [
    /fills the session to the last token/,
    withGenerate(
      (generate) =>
        async function* (tokens, options) {
          try {
            yield* generate(tokens, options)
          } catch (error) {
            if (!(error instanceof ContextLengthError)) throw error
          }
        },
    ),
  ],
  'accepts any top_p': [
    /refuses top_p/,
    withGenerate(
      (generate) => (tokens, options) =>
        generate(tokens, { ...options, sampling: { ...options.sampling, topP: undefined } }),
    ),
  ],
  'opens more sessions than it says': [
    /opens as many sessions as `maxSessions` says/,
    withModel(() => ({ maxSessions: 2 })),
  ],
  'never frees a session': [
    /closing one makes room/,
    withSession(() => ({ [Symbol.asyncDispose]: async () => {} })),
  ],
  'gives the least probable first': [
    /gives valid log probabilities/,
    withGenerate(
      (generate) =>
        async function* (tokens, options) {
          for await (const { topLogprobs, ...generated } of generate(tokens, options)) {
            yield { ...generated, topLogprobs: topLogprobs?.toReversed() }
          }
        },
    ),
  ],
  'scores one token late': [
    /scores a text with the probabilities/,
    withSession((session) => ({
      async score(tokens, options) {
        const scores = await session.score!(tokens, options)
        return scores.map((score, index) => ({ ...score, logprob: scores[Math.max(0, index - 1)]!.logprob }))
      },
    })),
  ],
  'trims texts': [
    /decodes every text exactly/,
    withModel(({ tokenizer }) => ({
      tokenizer: { ...tokenizer, decode: (tokens, options) => tokenizer.decode(tokens, options).trim() },
    })),
  ],
  'shares one cache between sessions': [
    /concurrent sessions|tokens of another one/,
    withModel((model) => {
      let shared: Session | undefined
      return {
        async openSession(options) {
          const session = await model.openSession(options)
          shared ??= session
          return session === shared
            ? session
            : {
                ...session,
                maxLength: session.maxLength,
                tokens: [],
                truncate: (length) => session.truncate(length),
                generate: (tokens, generateOptions) => shared!.generate(tokens, generateOptions),
                [Symbol.asyncDispose]: () => Promise.resolve(session[Symbol.asyncDispose]()),
              }
        },
      }
    }),
  ],
  'does not normalize embeddings': [
    /embeds texts as unit vectors/,
    withModel((model) => ({
      embed: async (tokens) => (await model.embed!(tokens)).map((value) => value * 2),
    })),
  ],
}

describe('engineComplianceTests', () => {
  it('finds no fault in an engine that obeys the rules', async () => {
    expect(await brokenRules(withSession(() => ({})))).toEqual([])
  })

  for (const [name, [rule, mutate]] of Object.entries(mutants)) {
    it(`notices an engine that ${name}`, async () => {
      const broken = await brokenRules(mutate)
      expect(
        broken.some((title) => rule.test(title)),
        `broken rules: ${broken.join('; ') || 'none'}`,
      ).toBe(true)
    })
  }
})
