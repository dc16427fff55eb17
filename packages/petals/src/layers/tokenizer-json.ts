import { ModelUnavailableError } from '@petals-chat/engine'
import { z } from 'zod'

/**
 * The known forms of tokenizer.json. The file comes with a model and is not trusted, but its parts are programs: normalizers
 * that lengthen a text one after another, regular expressions, lists of any length. What no tokenizer needs is refused here,
 * before the library sees it. The time of regular expressions is bounded by a `TimeLimit`.
 */

/** The largest known vocabularies have 260,000 tokens, and about as many merges. */
export const MAX_TOKENS = 2 ** 20
export const MAX_MERGES = 2 ** 21
/** The longest pieces are runs of spaces and of signs. */
export const MAX_PIECE_LENGTH = 1024
/** Gemma has 6,400 and models for speech up to 65,536. */
const MAX_ADDED_TOKENS = 2 ** 17
/** Of all added tokens together: the library keeps each character as a node of a trie. Those of models for speech have a million. */
const MAX_ADDED_CHARACTERS = 2 ** 22
/** DeepSeek's, the longest known, has 700 characters. */
const MAX_PATTERN_LENGTH = 4096
/** Counts are small in tokenizers (`\p{N}{1,3}`); compiled, each one is written out. */
const MAX_PATTERN_COUNT = 64
/** How many times as long the normalizers and pre-tokenizers may make a text. */
const MAX_GROWTH = 8

const text = (length: number) => z.string().max(length)
const patternSchema = z.union([
  z.object({ String: text(256).min(1) }),
  z.object({
    Regex: text(MAX_PATTERN_LENGTH).refine(
      (source) => countsOf(source).every((count) => count <= MAX_PATTERN_COUNT),
      `must repeat nothing more than ${MAX_PATTERN_COUNT} times`,
    ),
  }),
])

const countsOf = (source: string): number[] =>
  Array.from(source.matchAll(/\{\d*,?\d*\}/g), ([counts]) => (counts.match(/\d+/g) ?? []).map(Number)).flat()

const step = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.looseObject({ type: z.literal(type), ...shape })
const plain = <Type extends string>(types: readonly [Type, ...Type[]]) =>
  z.looseObject({ type: z.enum(types) })
const replaceSchema = step('Replace', { pattern: patternSchema, content: text(64) })

const normalizerSchema = z.union([
  plain([
    'NFC',
    'NFD',
    'NFKC',
    'NFKD',
    'Strip',
    'StripAccents',
    'Lowercase',
    'BertNormalizer',
    'Precompiled',
  ]),
  step('Prepend', { prepend: text(16) }),
  replaceSchema,
])
const normalizersSchema = z.union([
  normalizerSchema,
  step('Sequence', { normalizers: z.array(normalizerSchema).max(16) }),
])

const preTokenizerSchema = z.union([
  plain(['ByteLevel', 'Whitespace', 'WhitespaceSplit', 'Digits', 'Punctuation', 'BertPreTokenizer']),
  step('Metaspace', { replacement: text(4).optional(), str_rep: text(4).nullish() }),
  step('Split', {
    pattern: patternSchema,
    behavior: z.enum(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']),
  }),
  step('FixedLength', { length: z.int().min(1).optional() }),
  replaceSchema,
])
const preTokenizersSchema = z.union([
  preTokenizerSchema,
  step('Sequence', { pretokenizers: z.array(preTokenizerSchema).max(32) }),
])

const templateSchema = z
  .array(
    z.union([
      z.looseObject({ SpecialToken: z.looseObject({ id: text(MAX_PIECE_LENGTH) }) }),
      z.looseObject({ Sequence: z.looseObject({ id: text(1) }) }),
    ]),
  )
  .max(8)
const endTokenSchema = z.tuple([text(MAX_PIECE_LENGTH), z.int()])
const postProcessorSchema = z.union([
  plain(['ByteLevel']),
  step('BertProcessing', { sep: endTokenSchema, cls: endTokenSchema }),
  step('RobertaProcessing', { sep: endTokenSchema, cls: endTokenSchema }),
  step('TemplateProcessing', { single: templateSchema, pair: z.array(z.unknown()).max(16).optional() }),
])
const postProcessorsSchema = z.union([
  postProcessorSchema,
  step('Sequence', { processors: z.array(postProcessorSchema).max(4) }),
])

const tokenIdSchema = z.int().min(0).max(MAX_TOKENS)
const addedTokenSchema = z.looseObject({
  id: tokenIdSchema,
  content: text(MAX_PIECE_LENGTH),
  special: z.boolean().default(false),
})

const tokenizerSchema = z.looseObject({
  added_tokens: z
    .array(addedTokenSchema)
    .max(MAX_ADDED_TOKENS)
    .refine(
      (tokens) => tokens.reduce((sum, { content }) => sum + content.length, 0) <= MAX_ADDED_CHARACTERS,
      `must have at most ${MAX_ADDED_CHARACTERS} characters together`,
    )
    .nullish(),
  normalizer: normalizersSchema.nullish(),
  pre_tokenizer: preTokenizersSchema.nullish(),
  post_processor: postProcessorsSchema.nullish(),
  decoder: z
    .looseObject({
      type: text(64),
      decoders: z
        .array(z.looseObject({ type: text(64) }))
        .max(16)
        .optional(),
    })
    .nullish(),
  model: z.looseObject({ type: z.enum(['BPE', 'Unigram', 'WordPiece', 'WordLevel']).optional() }),
})

/** tokenizer.json, checked. */
export type TokenizerJson = z.output<typeof tokenizerSchema>

/** Checks the content of tokenizer.json. @throws ModelUnavailableError that names the key at fault */
export function parseTokenizerJson(json: unknown, description: string): TokenizerJson {
  const refuse = (why: string): never => {
    throw new ModelUnavailableError(
      `tokenizer.json of ${description} can't be used: ${why}. Use the files of the model's own repository.`,
    )
  }
  const parsed = tokenizerSchema.safeParse(json)
  if (!parsed.success) return refuse(describeIssue(parsed.error))
  const { normalizer, pre_tokenizer: preTokenizer, model } = parsed.data
  const growth = growthOf(normalizer) * growthOf(preTokenizer)
  if (growth > MAX_GROWTH)
    return refuse(`its normalizer and pre_tokenizer make a text up to ${Math.round(growth)} times as long`)
  checkVocabulary(model, refuse)
  return parsed.data
}

type Issue = z.core.$ZodIssue

/** Names the key at fault. */
function describeIssue({ issues: [issue] }: Pick<z.ZodError, 'issues'>): string {
  const { path, message } = deepest(issue!)
  return `${path.join('.') || 'its content'}: ${message}`
}

/** Returns the issue itself; for a union, that of the alternative which fits the furthest. */
function deepest(issue: Issue): Pick<Issue, 'path' | 'message'> {
  if (issue.code !== 'invalid_union') return issue
  const [best] = issue.errors
    .flatMap(([first]) => (first ? [deepest(first)] : []))
    .sort((left, right) => fitOf(right) - fitOf(left))
  return best ? { path: [...issue.path, ...best.path], message: best.message } : issue
}

/** An alternative of another `type` fits less than one with a wrong value. */
const fitOf = ({ path }: Pick<Issue, 'path'>): number => path.length - (path.at(-1) === 'type' ? 0.5 : 0)

interface Step {
  readonly type: string
  readonly normalizers?: readonly Step[]
  readonly pretokenizers?: readonly Step[]
  readonly pattern?: { readonly String?: string; readonly Regex?: string }
  readonly content?: string
}

/** Returns how many times as long the steps can make a text by what they replace. */
function growthOf(entry: unknown): number {
  const { type, normalizers, pretokenizers, pattern, content = '' } = (entry ?? { type: '' }) as Step
  const steps = normalizers ?? pretokenizers
  if (steps) return steps.reduce((product, each) => product * growthOf(each), 1)
  if (type !== 'Replace') return 1
  // A regular expression may match a single character.
  return Math.max(1, content.length / (pattern?.String?.length ?? 1))
}

/** Plain loops: a schema would take seconds for a vocabulary. */
function checkVocabulary(model: TokenizerJson['model'], refuse: (why: string) => never): void {
  const { vocab, merges = [] } = model as { readonly vocab?: unknown; readonly merges?: unknown }
  if (typeof vocab !== 'object' || vocab === null) return refuse('model.vocab is missing')
  const pieces = Array.isArray(vocab) ? (vocab as unknown[]) : Object.entries(vocab)
  if (pieces.length > MAX_TOKENS) return refuse(`model.vocab has ${pieces.length} pieces`)
  for (const entry of pieces) {
    const [piece, value] = Array.isArray(entry) ? (entry as unknown[]) : []
    const isValue = typeof value === 'number' && (Array.isArray(vocab) || isTokenId(value))
    if (!isPiece(piece) || !isValue)
      return refuse('model.vocab has an entry that is no piece with its number')
  }
  if (!Array.isArray(merges) || merges.length > MAX_MERGES) return refuse('model.merges is no list of pairs')
  for (const merge of merges as unknown[]) {
    const isPair = Array.isArray(merge) && merge.length === 2 && merge.every(isPiece)
    if (!isPair && !(typeof merge === 'string' && merge.length <= 2 * MAX_PIECE_LENGTH + 1))
      return refuse('model.merges has an entry that is no pair of pieces')
  }
}

const isTokenId = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS

const isPiece = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_PIECE_LENGTH
