import assert from 'node:assert/strict'
import { literalMarker } from '../../chat/literal-text.ts'
import { Detokenizer } from '../../generation/detokenizer.ts'
import type { TokenId } from '../../tokenizer.ts'
import type { ComplianceContext } from './subject.ts'

const texts = [
  'Hello, world!',
  ' leading and trailing spaces ',
  '  two\n\nlines\tand a tab',
  'Größe, naïve, Ελληνικά, Привет, 你好世界, こんにちは',
  '👩‍👩‍👧‍👦 emoji 🏳️‍🌈 of many parts 🇫🇷',
  'if (a < b) { return "x" + 1 } // 100 %',
]

/** Ids spread over the vocabulary: many of them pieces of characters, in an order that no text has. */
function scatteredIds(vocabSize: number, count: number): TokenId[] {
  return Array.from({ length: count }, (_, index) => (index * 7919 + 13) % vocabSize)
}

function streamed({ model }: ComplianceContext, tokens: readonly TokenId[]): string {
  const detokenizer = new Detokenizer(model().tokenizer)
  const pieces = tokens.map((token) => detokenizer.push({ token })?.text ?? '')
  return pieces.join('') + (detokenizer.flush()?.text ?? '')
}

export function tokenizerRules(context: ComplianceContext): void {
  const { rule, model } = context

  rule('decodes every text exactly, including leading spaces', async () => {
    const { tokenizer } = model()
    for (const text of texts) {
      const decoded = tokenizer.decode(tokenizer.encode(text))
      // SentencePiece puts a space in front of a text ("dummy prefix"), and that stays.
      assert.ok(
        decoded === text || decoded === ` ${text}`,
        `${JSON.stringify(text)} became ${JSON.stringify(decoded)}`,
      )
    }
  })

  rule('streams the same text that decoding at once gives', async () => {
    const { tokenizer } = model()
    for (const tokens of [
      ...texts.map((text) => tokenizer.encode(text)),
      scatteredIds(tokenizer.vocabSize, 200),
    ]) {
      assert.equal(streamed(context, tokens), tokenizer.decode(tokens))
    }
  })

  rule('puts BOS in front only when asked', async () => {
    const { tokenizer } = model()
    const plain = tokenizer.encode('Hello')
    const special = tokenizer.encode('Hello', { addSpecialTokens: true })
    assert.deepEqual(special.slice(-plain.length), plain)
    if (tokenizer.bosToken !== undefined) assert.notEqual(plain[0], tokenizer.bosToken)
    assert.ok(special.every((token) => token >= 0 && token < tokenizer.vocabSize))
  })

  rule('has end tokens, and leaves them out of the text when asked', async () => {
    const { tokenizer } = model()
    assert.ok(tokenizer.eosTokens.size > 0, 'a model without an end token never ends an answer')
    for (const token of tokenizer.eosTokens) {
      const text = tokenizer.decode([token])
      assert.notEqual(text, '')
      assert.deepEqual(tokenizer.encode(text), [token], 'special tokens written in a text are recognized')
      assert.equal(tokenizer.decode([token], { skipSpecialTokens: true }), '')
    }
  })

  rule('encodes a control token that a client spells out as text, whatever surrounds it', async () => {
    const { tokenizer } = model()
    const { controlTexts } = tokenizer
    const mark = literalMarker(controlTexts)
    const controlTokens = new Set(controlTexts.flatMap((text) => tokenizer.encode(text)))
    for (const text of [...tokenizer.eosTokens].map((token) => tokenizer.decode([token]))) {
      assert.ok(controlTexts.includes(text), `${text} ends answers, but clients may write it as a token`)
      for (const written of [text, `a${text}b`, `What does ${text} mean?`, `${text}${text}\n${text} `]) {
        const tokens = tokenizer.encode(mark(written))
        assert.ok(
          tokens.every((token) => !controlTokens.has(token)),
          `${JSON.stringify(written)} became ${tokens.join()}`,
        )
        assert.equal(tokenizer.decode(tokens).trim(), written.trim())
      }
    }
  })

  rule('encodes a text without control tokens as it does without marks', async () => {
    const { tokenizer } = model()
    const mark = literalMarker(tokenizer.controlTexts)
    for (const text of [...texts, 'a < b', 'ends with <'])
      assert.deepEqual(tokenizer.encode(mark(text)), tokenizer.encode(text))
  })
}
