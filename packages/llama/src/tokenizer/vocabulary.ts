import type { TokenId } from '@petals-chat/engine'
import { GgufFormatError } from '../gguf/byte-reader.ts'
import { asArray } from '../gguf/gguf-info.ts'
import type { GgufHeader } from '../gguf/gguf-header.ts'
import type { GgufValue } from '../gguf/gguf-value.ts'

/** llama.h: enum llama_token_type */
export const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** The tokens of a model and their roles, as llama.cpp interprets them. */
export interface Vocabulary {
  /** Texts by id, as in the file (in the alphabet of its kind of tokenizer). */
  readonly texts: readonly string[]
  readonly ids: ReadonlyMap<string, TokenId>
  readonly types: Readonly<Uint8Array>
  readonly scores: readonly number[] | undefined
  readonly bos: TokenId | undefined
  readonly eos: TokenId | undefined
  /** Tokens that end an answer. */
  readonly endTokens: ReadonlySet<TokenId>
}

/** Texts of tokens that end a turn or a text. Files name only one of them (llama-vocab.cpp, `special_eog_ids`). */
const endTexts = new Set(
  (
    '<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <|flush|> <|calls|> <end_of_turn> <|endoftext|> </s> <|eom_id|> ' +
    '<EOT> _<EOT> [EOT] [EOS] <|end_of_text|> <end_of_utterance> <eos> <turn|> <|tool_response> ' +
    '<｜end▁of▁sentence｜> [e~['
  ).split(' '),
)
/** Tokens of code completion: a model that generates one has ended its answer. */
const fillInTheMiddleEnds: ReadonlyArray<readonly [key: string, texts: string]> = [
  ['fim_pad', '<|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD]'],
  ['fim_rep', '<|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame>'],
  ['fim_sep', '<|file_sep|>'],
]
const fillInTheMiddleStarts: ReadonlyArray<readonly [key: string, texts: string]> = [
  [
    'fim_pre',
    '<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|>',
  ],
  [
    'fim_suf',
    '<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> <|suffix|>',
  ],
  [
    'fim_mid',
    '<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|>',
  ],
]
/** gpt-oss writes its channels with these tokens: they are decoded like ordinary text. */
const shownTexts = ['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>']

/** BOS and EOS if the file does not name them, by kind of tokenizer (llama-vocab.cpp). */
const defaults: Readonly<Record<string, { readonly bos?: TokenId; readonly eos?: TokenId }>> = {
  llama: { bos: 1, eos: 2 },
  gpt2: { bos: 11, eos: 11 },
}

/** The header must have passed `checkModel`. @throws GgufFormatError if it has no vocabulary. */
export function readVocabulary({ metadata }: GgufHeader): Vocabulary {
  const tokens = asArray(metadata.get('tokenizer.ggml.tokens'))?.strings()
  if (tokens === undefined)
    throw new GgufFormatError('tokenizer.ggml.tokens', 'is missing: the model has no vocabulary')
  const texts = tokens.map((text, id) => text || `[EMPTY_${id}]`)
  const ids = new Map(texts.map((text, id) => [text, id]))
  const types = readTypes(asArray(metadata.get('tokenizer.ggml.token_type'))?.numbers(), texts.length)
  const named = (...keys: string[]) =>
    keys.map((key) => specialId(metadata, key, texts.length)).find(isDefined)
  const byDefault = defaults[String(metadata.get('tokenizer.ggml.model'))] ?? {}
  const eos = named('eos') ?? inRange(byDefault.eos, texts.length)
  const endTokens = new Set([eos, named('eot'), named('eom')].filter(isDefined))
  const find = (names: string) =>
    names
      .split(' ')
      .map((text) => ids.get(text))
      .find(isDefined)

  for (const [key, names] of fillInTheMiddleEnds) {
    const id = named(key) ?? markControl(types, find(names))
    if (id !== undefined) endTokens.add(id)
  }
  for (const [key, names] of fillInTheMiddleStarts)
    if (named(key) === undefined) markControl(types, find(names))
  for (const text of endTexts) {
    const id = markControl(types, ids.get(text))
    if (id !== undefined) endTokens.add(id)
  }
  for (const text of shownTexts) setType(types, ids.get(text), TokenType.userDefined)
  exceptSome(ids, types, endTokens)

  const hasNoBos = ['glm4', 'chatglm-bpe'].includes(String(metadata.get('tokenizer.ggml.pre')))
  const bos = named('bos') ?? (hasNoBos ? undefined : inRange(byDefault.bos, texts.length))
  return {
    texts,
    ids,
    types,
    bos,
    eos,
    endTokens,
    scores: asArray(metadata.get('tokenizer.ggml.scores'))?.numbers(),
  }
}

/** Removes end tokens that do not end an answer in some models (llama-vocab.cpp, workarounds). */
function exceptSome(ids: ReadonlyMap<string, TokenId>, types: Uint8Array, endTokens: Set<TokenId>): void {
  const ends = (text: string) => endTokens.has(ids.get(text) ?? -1)
  const except = (text: string, type: number) => {
    const id = ids.get(text)
    if (id === undefined || !endTokens.delete(id)) return
    setType(types, id, type)
  }
  const calls = ends('<|call|>') || ends('<|calls|>')
  if (calls && (ends('<|return|>') || ends('<|flush|>'))) except('<|end|>', TokenType.userDefined)
  if (ends('<|tool_response>')) except('</s>', TokenType.normal)
}

function readTypes(numbers: readonly number[] | undefined, length: number): Uint8Array {
  if (numbers === undefined) return new Uint8Array(length).fill(TokenType.normal)
  return Uint8Array.from({ length }, (_, id) => (numbers[id]! >= 1 && numbers[id]! <= 6 ? numbers[id]! : 0))
}

function specialId(
  metadata: ReadonlyMap<string, GgufValue>,
  name: string,
  length: number,
): TokenId | undefined {
  const id = metadata.get(`tokenizer.ggml.${keyNames[name]}`)
  return typeof id === 'number' ? inRange(id, length) : undefined
}

const keyNames: Readonly<Record<string, string>> = {
  bos: 'bos_token_id',
  eos: 'eos_token_id',
  eot: 'eot_token_id',
  eom: 'eom_token_id',
  fim_pre: 'fim_pre_token_id',
  fim_suf: 'fim_suf_token_id',
  fim_mid: 'fim_mid_token_id',
  fim_pad: 'fim_pad_token_id',
  fim_rep: 'fim_rep_token_id',
  fim_sep: 'fim_sep_token_id',
}

function markControl(types: Uint8Array, id: TokenId | undefined): TokenId | undefined {
  setType(types, id, TokenType.control)
  return id
}

function setType(types: Uint8Array, id: TokenId | undefined, type: number): void {
  if (id !== undefined) types[id] = type
}

const inRange = (id: TokenId | undefined, length: number): TokenId | undefined =>
  id !== undefined && id >= 0 && id < length ? id : undefined

const isDefined = <T>(value: T | undefined): value is T => value !== undefined
