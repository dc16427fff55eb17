import { describe, expect, it } from 'vitest'
import { GenerationFailedError } from '../errors.ts'
import { generateText } from '../generation/generate-text.ts'
import type { TextRequest } from '../generation/generate-text.types.ts'
import { modelSpecSchema } from '../models/model-spec.ts'
import { greedy } from '../sampling-params.ts'
import { ScriptedEngine, type ScriptedEngineOptions } from './scripted-engine.ts'

async function ask(
  options: ScriptedEngineOptions,
  spec: object = {},
  overrides: Partial<TextRequest> = {},
): Promise<string> {
  await using engine = new ScriptedEngine(options)
  const model = await engine.load(
    modelSpecSchema.parse({ id: 'm', engine: 'llama', source: 'none', ...spec }),
  )
  await using session = await model.openSession({ maxLength: 1000 })
  const { tokenizer, chatTemplate } = model
  const tokens = tokenizer.encode(chatTemplate.render([{ role: 'user', content: 'Hi' }]), {
    addSpecialTokens: true,
  })
  const stop = chatTemplate.stopSequences
  let text = ''
  for await (const event of generateText(model, session, {
    tokens,
    stop,
    maxNewTokens: 200,
    sampling: greedy,
    ...overrides,
  })) {
    if (event.type === 'text-delta') text += event.text
  }
  return text
}

describe('ScriptedEngine', () => {
  it('replies to a dialogue in its own tokens', async () => {
    const reply = (prompt: string) => (prompt === '<s><|user|>Hi<|end|>' ? 'You said Hi.' : 'What?')
    expect(await ask({ reply })).toBe('You said Hi.')
  })

  it("replies to the original's dialogues", async () => {
    expect(await ask({ reply: () => ' Hello!' }, { dialogue: { systemPrompt: '' } })).toBe(' Hello!')
  })

  it('answers under a JSON schema with a valid value, or with `grammarReply`', async () => {
    const schema = {
      type: 'object',
      properties: {
        name: { const: 'go' },
        list: { type: 'array', minItems: 2, items: { enum: [3, 4] } },
        text: { type: ['string', 'null'] },
        one: { oneOf: [{ type: 'integer', minimum: 7 }, { type: 'null' }] },
        skipped: { type: 'boolean' },
      },
      required: ['name', 'list', 'text', 'one'],
    }
    const grammar = { type: 'json-schema', schema } as const
    expect(JSON.parse(await ask({}, {}, { grammar }))).toEqual({
      name: 'go',
      list: [3, 3],
      text: 'text',
      one: 7,
    })
    expect(await ask({}, {}, { grammar: { type: 'json-object' } })).toBe('{}')
    expect(await ask({ grammarReply: ({ type }) => `"${type}"` }, {}, { grammar })).toBe('"json-schema"')
  })

  it('continues with `continuation`', async () => {
    expect(
      await ask({ continuation: (tokens) => 97 + (tokens.length % 3) }, {}, { maxNewTokens: 6 }),
    ).toMatch(/^(abcabc|bcabca|cabcab)$/)
  })

  it('fails where `beforeStep` throws, and counts its work', async () => {
    const engine = new ScriptedEngine({
      beforeStep: ({ session, step, tokens }) => {
        if (session === 1 && step === 2 && tokens === 1) throw new GenerationFailedError('gone')
      },
    })
    const model = await engine.load(modelSpecSchema.parse({ id: 'm', engine: 'llama', source: 'none' }))
    const run = async () => {
      await using session = await model.openSession({ maxLength: 100 })
      expect(engine.openSessions).toBe(1)
      const request = { tokens: [97], stop: [], maxNewTokens: 5, sampling: greedy }
      return await Array.fromAsync(generateText(model, session, request))
    }
    expect(await run()).toHaveLength(6)
    await expect(run()).rejects.toThrow('gone')
    expect(engine).toMatchObject({ loads: 1, sessionsOpened: 2, openSessions: 0, steps: 5 + 2 })
    await engine[Symbol.asyncDispose]()
  })
})
