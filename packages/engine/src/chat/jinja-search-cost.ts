/** A value of the interpreter, as far as the cost of an operation depends on it. */
export interface JinjaValue {
  readonly type: string
  readonly value: unknown
}

/** Comparisons of characters that take as long as one step. Native searches compare billions in a second. */
const COMPARISONS_PER_STEP = 500

/**
 * Returns the steps that a search for `needle` in `haystack` may cost: V8 may compare each character of one with each of the
 * other, in native code that nothing ends. For texts of a megabyte that takes minutes.
 */
export const searchSteps = (haystack: string, needle: string): number =>
  Math.ceil((haystack.length * needle.length) / COMPARISONS_PER_STEP)

/** Returns the length of a filter's result where it can be much longer than its input; 0 for other filters. */
export function resultLength(filter: string, operand: JinjaValue, args: readonly JinjaValue[]): number {
  switch (filter) {
    case 'join':
      return lengthOfList(operand) * (1 + longestText(args))
    case 'indent':
      return typeof operand.value === 'string' ? linesOf(operand.value) * largestNumber(args) : 0
    case 'tojson':
      return largestNumber(args) > MAX_JSON_INDENT ? Infinity : 0
    default:
      return 0
  }
}

/** Each nested value is indented, and templates use 2 or 4. */
const MAX_JSON_INDENT = 64

/** Returns the length of a text after a replacement. */
export function replacedLength(text: string, old: string, replacement: string): number {
  if (replacement.length <= old.length) return text.length
  const most = old === '' ? text.length + 1 : text.length / old.length
  if (text.length + most * replacement.length < EXACT_FROM) return 0
  const count = old === '' ? most : text.split(old).length - 1
  return text.length + count * (replacement.length - old.length)
}

/** Below this length, an exact result is not needed. */
const EXACT_FROM = 1024 * 1024

const linesOf = (text: string): number => text.split('\n').length

const lengthOfList = ({ value }: JinjaValue): number =>
  typeof value === 'string' || Array.isArray(value) ? value.length : 0

const longestText = (args: readonly JinjaValue[]): number =>
  Math.max(0, ...args.map(({ value }) => (typeof value === 'string' ? value.length : 0)))

const largestNumber = (args: readonly JinjaValue[]): number =>
  Math.max(0, ...args.map(({ value }) => (typeof value === 'number' ? value : 0)))
