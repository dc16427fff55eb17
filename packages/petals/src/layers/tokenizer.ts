import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
import {
  createDialogueTemplate,
  createJinjaChatTemplate,
  dialogueSchema,
  EncodeLimit,
  isControlText,
  LITERAL_MARK,
  ModelUnavailableError,
  parseGenerationConfig,
  TimeLimit,
  TimeLimitExceeded,
  type AbortOptions,
  type ChatTemplate,
  type Dialogue,
  type GenerationParams,
  type ModelFiles,
  type TokenId,
  type Tokenizer,
  type Vocabulary,
} from '@petals-chat/engine'
import { z } from 'zod'
import { tokenIdsSchema, type Architecture } from './architecture.ts'
import { parseJson, readJsonFile } from './json-file.ts'
import { usePackedVocabulary, type BpeModel } from './packed-bpe.ts'
import type { PackedVocabulary } from './packed-vocabulary.ts'
import { portablePreTokenizer, type PreTokenizer } from './pre-tokenizer.ts'
import { addedBytes, pieceBytes, type VocabularyStyle } from './token-bytes.ts'
import { parseTokenizerJson, type TokenizerJson } from './tokenizer-json.ts'
import { readTokenizerText, type TokenizerText } from './tokenizer-text.ts'
import { VocabularyFile } from './vocabulary-file.ts'

type AddedToken = NonNullable<TokenizerJson['added_tokens']>[number]

const tokenTextSchema = z.union([z.string(), z.object({ content: z.string() })]).nullish()
type TokenText = z.output<typeof tokenTextSchema>

/** The keys of tokenizer_config.json that are read here. */
const tokenizerConfigSchema = z.looseObject({
  bos_token: tokenTextSchema,
  eos_token: tokenTextSchema,
  chat_template: z
    .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
    .nullish(),
})
type TokenizerConfig = z.output<typeof tokenizerConfigSchema>

export const tokenizerFile = 'tokenizer.json'

/** A text with what tokenizers treat in different ways. */
const probe = "Hello, it's 12 wörlds. \n\n 日本語 👍 <s>"

/** Time to construct a tokenizer. One that is not packed takes half a second for a vocabulary of 128,000 tokens. */
const constructMs = 10_000

export interface ModelTokenizer {
  readonly tokenizer: Tokenizer
  readonly vocabulary: Vocabulary
  readonly chatTemplate: ChatTemplate
  /** Sampling parameters that the model's own files recommend. */
  readonly generation: GenerationParams
}

const textOf = (token: TokenText): string => (typeof token === 'string' ? token : (token?.content ?? ''))

function styleOf({ decoder }: TokenizerJson, description: string): VocabularyStyle {
  const types = [decoder, ...(decoder?.decoders ?? [])].map((each) => each?.type)
  if (types.includes('ByteLevel')) return 'byte-level'
  if (types.includes('ByteFallback') || types.includes('Metaspace')) return 'sentencepiece'
  throw new ModelUnavailableError(
    `tokenizer.json of ${description} decodes by '${types.join(', ')}', which is not supported. Supported are ` +
      'byte-level BPE (GPT-2, Llama 3, Falcon, BLOOM) and SentencePiece with byte fallback (Llama, Mixtral).',
  )
}

/** A tokenizer that equals transformers' fast tokenizers, from tokenizer.json. Decoding concatenates the tokens' bytes. */
class FastTokenizer implements Tokenizer, Vocabulary {
  readonly vocabSize: number
  readonly bosToken: TokenId | undefined
  readonly eosTokens: ReadonlySet<TokenId>
  readonly controlTexts: readonly string[]
  readonly #encoder: HubTokenizer
  readonly #pieceOf: (token: TokenId) => string | undefined
  readonly #style: VocabularyStyle
  readonly #added: ReadonlyMap<TokenId, AddedToken>
  readonly #bytes = new Map<TokenId, Uint8Array>()
  readonly #limit = new EncodeLimit()

  constructor(
    { encoder, pieceOf }: Encoder,
    json: TokenizerJson,
    style: VocabularyStyle,
    tokens: Pick<Tokenizer, 'vocabSize' | 'bosToken' | 'eosTokens'>,
  ) {
    this.#encoder = encoder
    this.#pieceOf = pieceOf
    this.#style = style
    this.#added = new Map(json.added_tokens?.map((token) => [token.id, token]))
    this.controlTexts = Array.from(this.#added.values())
      .filter(({ content, special }) => isControlText(content, special))
      .map(({ content }) => content)
    this.vocabSize = tokens.vocabSize
    this.bosToken = tokens.bosToken
    this.eosTokens = tokens.eosTokens
  }

  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): TokenId[] {
    if (text === '' && !options?.addSpecialTokens) return []
    const add_special_tokens = options?.addSpecialTokens ?? false
    return this.#limit.run(text, () => this.#encoder.encode(text.toWellFormed(), { add_special_tokens }).ids)
  }

  decode(tokens: readonly TokenId[], options?: { readonly skipSpecialTokens?: boolean }): string {
    const parts = tokens.map((token) => this.#bytesOf(token, options?.skipSpecialTokens ?? false))
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(parts))
  }

  get size(): number {
    return this.vocabSize
  }

  /** Unlike `decode`, it keeps nothing: a grammar asks for all tokens once. */
  bytesOf(token: TokenId): Uint8Array | undefined {
    return this.#added.get(token)?.special ? undefined : (this.#bytes.get(token) ?? this.#newBytesOf(token))
  }

  #bytesOf(token: TokenId, skipSpecialTokens: boolean): Uint8Array {
    const added = this.#added.get(token)
    if (added?.special && skipSpecialTokens) return new Uint8Array(0)
    let bytes = this.#bytes.get(token)
    if (!bytes) this.#bytes.set(token, (bytes = this.#newBytesOf(token)))
    return bytes
  }

  #newBytesOf(token: TokenId): Uint8Array {
    const added = this.#added.get(token)
    return added
      ? addedBytes(added.content, this.#style)
      : pieceBytes(this.#pieceOf(token) ?? '', this.#style)
  }
}

const generationConfigSchema = z.object({ eos_token_id: tokenIdsSchema })

/** Returns the tokens that end an answer, from the generation config, the model's config and the tokenizer's config. */
function eosTokensOf(
  generationConfig: unknown,
  architecture: Architecture,
  fromTokenizer: TokenId | undefined,
): ReadonlySet<TokenId> {
  const { data: generation } = generationConfigSchema.safeParse(generationConfig)
  return new Set([
    ...architecture.eosTokens,
    ...(generation?.eos_token_id ?? []),
    ...(fromTokenizer === undefined ? [] : [fromTokenizer]),
  ])
}

async function readChatTemplate(
  files: ModelFiles,
  config: TokenizerConfig,
  { dialogue, controlTexts }: { readonly dialogue: Dialogue | undefined } & Pick<Tokenizer, 'controlTexts'>,
  options: AbortOptions,
): Promise<ChatTemplate> {
  const named = Array.isArray(config.chat_template) ? config.chat_template : []
  const template =
    (await files.text('chat_template.jinja', options)) ??
    (typeof config.chat_template === 'string'
      ? config.chat_template
      : (named.find(({ name }) => name === 'default') ?? named[0])?.template)
  if (template === undefined)
    return createDialogueTemplate(dialogue ?? dialogueSchema.parse({}), controlTexts)
  return createJinjaChatTemplate({
    template,
    bosText: textOf(config.bos_token),
    eosText: textOf(config.eos_token),
    systemPrompt: dialogue?.systemPrompt,
    controlTexts,
  })
}

/** Removes `LITERAL_MARK` after the library has found the added tokens, before it splits the text into words. */
function withoutMarks(entry: PreTokenizer | null | undefined): unknown {
  const dropMarks = { type: 'Replace', pattern: { String: LITERAL_MARK }, content: '' }
  const own = portablePreTokenizer(entry)
  return { type: 'Sequence', pretokenizers: own ? [dropMarks, own] : [dropMarks] }
}

/** The library's tokenizer, and the pieces of its vocabulary. */
interface Encoder {
  readonly encoder: HubTokenizer
  readonly pieceOf: (token: TokenId) => string | undefined
}

function withVocabulary(encoder: HubTokenizer, vocabulary: PackedVocabulary | undefined): Encoder {
  if (!vocabulary) return { encoder, pieceOf: (token) => encoder.id_to_token(token) }
  usePackedVocabulary(encoder.model as unknown as BpeModel, vocabulary)
  return { encoder, pieceOf: (token) => vocabulary.pieces.pieceOf(token) }
}

function createEncoder(
  json: TokenizerJson,
  { config, vocabulary }: Pick<TokenizerContents, 'config' | 'vocabulary'>,
  description: string,
): Encoder {
  // `FastTokenizer` decodes itself.
  const parts = { ...json, pre_tokenizer: withoutMarks(json.pre_tokenizer as PreTokenizer), decoder: null }
  try {
    return new TimeLimit(constructMs).run(() => {
      const made = withVocabulary(new HubTokenizer(withNulls(parts), config), vocabulary)
      // A part that can't work fails now, not in the first request.
      for (const add_special_tokens of [true, false]) made.encoder.encode(probe, { add_special_tokens })
      return made
    })
  } catch (cause) {
    const why =
      cause instanceof TimeLimitExceeded ? cause.message : 'it is damaged, or of an unsupported kind'
    throw new ModelUnavailableError(
      `tokenizer.json of ${description} can't be used: ${why}. Download the file again.`,
      { cause },
    )
  }
}

/** The library wants all parts, absent ones as null. */
const withNulls = (parts: object): object => ({
  normalizer: null,
  post_processor: null,
  ...Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, (part as unknown) ?? null])),
})

function parseTokenizerConfig(json: unknown, description: string): TokenizerConfig {
  const parsed = tokenizerConfigSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new ModelUnavailableError(
    `tokenizer_config.json of ${description} can't be used: ${issue?.path.join('.')}: ${issue?.message}.`,
  )
}

/** The content of a model's files. */
interface TokenizerContents {
  /** Of tokenizer.json; without the vocabulary if `vocabulary` has it. */
  readonly tokenizer: unknown
  readonly vocabulary?: PackedVocabulary | undefined
  readonly config: TokenizerConfig
  /** Of generation_config.json; undefined if there is none. */
  readonly generationConfig: unknown
}

/** Creates the tokenizer that the files describe. @throws ModelUnavailableError that names the key at fault */
export function createTokenizer(
  { tokenizer: content, vocabulary, config, generationConfig }: TokenizerContents,
  architecture: Architecture,
  description: string,
): Tokenizer & Vocabulary {
  const json = parseTokenizerJson(content, description)
  const made = createEncoder(json, { config, vocabulary }, description)
  const tokenOf = (token: TokenText): TokenId | undefined => made.encoder.token_to_id(textOf(token))
  return new FastTokenizer(made, json, styleOf(json, description), {
    vocabSize: architecture.vocabularySize,
    bosToken: tokenOf(config.bos_token) ?? architecture.bosToken,
    eosTokens: eosTokensOf(generationConfig, architecture, tokenOf(config.eos_token)),
  })
}

export interface OpenTokenizerOptions extends AbortOptions {
  /** Folder for packed vocabularies, which are kept between starts. Without it, none is kept. */
  readonly folder?: string | undefined
}

/** Reads a model's tokenizer and chat template. @throws ModelUnavailableError */
export async function openTokenizer(
  files: ModelFiles,
  architecture: Architecture,
  dialogue: Dialogue | undefined,
  options: OpenTokenizerOptions = {},
): Promise<ModelTokenizer> {
  const { content, vocabulary } = await readTokenizer(files, options)
  const config = parseTokenizerConfig(
    (await readJsonFile(files, 'tokenizer_config.json', options)) ?? {},
    files.description,
  )
  const generationConfig = await readJsonFile(files, 'generation_config.json', options)
  const contents = { tokenizer: content, vocabulary, config, generationConfig }
  const tokenizer = createTokenizer(contents, architecture, files.description)
  const { controlTexts } = tokenizer
  return {
    tokenizer,
    vocabulary: tokenizer,
    chatTemplate: await readChatTemplate(files, config, { dialogue, controlTexts }, options),
    generation: parseGenerationConfig(generationConfig),
  }
}

/** Reads tokenizer.json, or what was kept of it. */
async function readTokenizer(
  files: ModelFiles,
  { folder, ...options }: OpenTokenizerOptions,
): Promise<TokenizerText> {
  const what = `${tokenizerFile} of ${files.description}`
  const file = folder === undefined ? undefined : await vocabularyFileOf(files, folder, options)
  const kept = await file?.read()
  if (kept) return { ...kept, content: parseJson(kept.rest, what) }
  const text = await files.text(tokenizerFile, options)
  if (text === undefined) {
    throw new ModelUnavailableError(
      `${files.description} has no tokenizer.json. Use a repository with a fast tokenizer, or save one with transformers.`,
    )
  }
  const read = readTokenizerText(text, what)
  const { rest, vocabulary } = read
  // If there is no room for it, the next start takes longer.
  if (rest !== undefined && vocabulary) await file?.keep({ rest, vocabulary }).catch(() => {})
  return read
}

/** Returns undefined if there is no tokenizer.json, which reading it reports. */
async function vocabularyFileOf(
  files: ModelFiles,
  folder: string,
  options: AbortOptions,
): Promise<VocabularyFile | undefined> {
  const path = await files.textPath(tokenizerFile, options)
  return path === undefined ? undefined : VocabularyFile.of({ path }, folder).catch(() => undefined)
}
