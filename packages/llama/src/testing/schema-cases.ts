import { grammarSource } from '@petals-chat/engine'
import { nativeGrammar } from './native-grammar.ts'

/** A schema, values that fit it, and values that do not. */
export interface SchemaCase {
  readonly schema: unknown
  readonly good: readonly unknown[]
  readonly bad: readonly unknown[]
}

/** Returns the texts that llama.cpp judges wrongly: it must accept the good values, in several layouts, and refuse the bad ones. */
export async function misjudgedTexts({ schema, good, bad }: SchemaCase): Promise<readonly string[]> {
  const { accepts } = await nativeGrammar(grammarSource({ type: 'json-schema', schema }))
  const texts = good.flatMap((value) =>
    [undefined, 1, 4].map((indent) => {
      const isLiteral = indent !== undefined && isConstant(schema) && isComposite(value)
      return { text: JSON.stringify(value, undefined, indent), isAccepted: !isLiteral }
    }),
  )
  const badTexts = bad.map((value) => ({ text: JSON.stringify(value), isAccepted: false }))
  return [...texts, ...badTexts].flatMap(({ text, isAccepted }) =>
    accepts(text) === isAccepted ? [] : [`${text} is ${isAccepted ? 'refused' : 'accepted'}`],
  )
}

/** Objects of an enumeration are written without white space. */
const isConstant = (schema: unknown): boolean => JSON.stringify(schema).includes('"enum":["red"')
const isComposite = (value: unknown): boolean => typeof value === 'object' && value !== null
