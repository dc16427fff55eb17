import { oneOf, repeat, type RuleSet } from './rule-set.ts'

/** llama.cpp expands repetitions into rules, so longer ones are composed of blocks, whose rules are shared. */
const MAX_COUNT = 200

/** Repeats an expression from `minimum` to `maximum` times; undefined means no limit. The expression must not match the empty text. */
export function boundedRepeat(
  rules: RuleSet,
  expression: string,
  minimum: number,
  maximum: number | undefined,
): string {
  if (maximum === undefined && minimum <= MAX_COUNT) return repeat(expression, minimum, undefined)
  if (maximum !== undefined && maximum <= MAX_COUNT) return repeat(expression, minimum, maximum) || '""'
  const one = rules.add('one', expression)
  const rest = maximum === undefined ? `${one}*` : upTo(rules, one, maximum - minimum)
  return [exactly(rules, one, minimum), rest].filter((part) => part !== '').join(' ') || '""'
}

function exactly(rules: RuleSet, one: string, count: number): string {
  if (count <= MAX_COUNT) return count === 0 ? '' : repeat(one, count, count)
  const size = Math.ceil(Math.sqrt(count))
  const block = rules.add('block', repeat(one, size, size))
  return `${repeat(block, Math.floor(count / size), Math.floor(count / size))} ${exactly(rules, one, count % size)}`.trim()
}

function upTo(rules: RuleSet, one: string, count: number): string {
  if (count <= MAX_COUNT) return repeat(one, 0, count)
  const size = Math.ceil(Math.sqrt(count))
  const block = rules.add('block', repeat(one, size, size))
  const blocks = Math.floor(count / size)
  const partly = `${repeat(block, 0, blocks - 1)} ${repeat(one, 0, size - 1)}`
  return oneOf([partly, `${repeat(block, blocks, blocks)} ${repeat(one, 0, count % size)}`.trim()])
}
