import {
  chatRequestSchema,
  completionRequestSchema,
  detokenizeRequestSchema,
  embeddingRequestSchema,
  legacyRequestSchema,
  messageRequestSchema,
  modelSchema,
  ollamaChatRequestSchema,
  ollamaEmbedRequestSchema,
  ollamaGenerateRequestSchema,
  ollamaOptionsSchema,
  responseRequestSchema,
  tokenizeRequestSchema,
} from '@petals-chat/api'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { UnsupportedParameters } from '../../generation/request/unsupported.ts'
import {
  unsupportedOllamaChatParameters,
  unsupportedOllamaGenerateParameters,
} from '../ollama/unsupported.ts'
import { unsupportedMessageParameters } from '../anthropic/unsupported.ts'
import { unsupportedResponseParameters } from '../responses/unsupported.ts'
import { ignoredParameters } from '../../generation/request/ignored.ts'
import {
  unsupportedChatParameters,
  unsupportedCompletionParameters,
  unsupportedEmbeddingParameters,
  unsupportedTokenizeParameters,
} from './unsupported.ts'

const document = await readFile(new URL('../../../../../docs/compatibility.md', import.meta.url), 'utf8')

/** The rows of the first table below a heading, cell by cell. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const [, section] = document.split(`\n${heading}\n`)
  const lines = (section ?? '').split(/\n#/)[0]!.split('\n')
  return lines
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const namesBelow = (heading: string) => rowsBelow(heading).map(([name]) => name!.replaceAll('`', ''))
const sorted = (names: Iterable<string>) => [...new Set(names)].sort()

const chat = Object.keys(chatRequestSchema.shape)
const completion = Object.keys(completionRequestSchema.shape)
/** Fields with the same name, but values of different kinds. */
const ownOfEach = ['logprobs']
const common = chat.filter((name) => completion.includes(name) && !ownOfEach.includes(name))

describe('docs/compatibility.md', () => {
  it.each([
    ['## Chat completions and completions', common],
    ['### Only chat completions', chat.filter((name) => !common.includes(name))],
    ['### Only completions', completion.filter((name) => !common.includes(name))],
    ['## Messages of Anthropic', Object.keys(messageRequestSchema.shape)],
    [
      '## Answers of Ollama',
      [...Object.keys(ollamaChatRequestSchema.shape), ...Object.keys(ollamaGenerateRequestSchema.shape)],
    ],
    ['### Options of Ollama', Object.keys(ollamaOptionsSchema.shape)],
    ['### Embeddings of Ollama', Object.keys(ollamaEmbedRequestSchema.shape)],
    ['## Responses', Object.keys(responseRequestSchema.shape)],
    ['## Models', Object.keys(modelSchema.shape)],
    ['## Embeddings', Object.keys(embeddingRequestSchema.shape)],
    [
      '## Tokenize and detokenize',
      [...Object.keys(tokenizeRequestSchema.shape), ...Object.keys(detokenizeRequestSchema.shape)],
    ],
    [
      "## The original's APIs",
      [...Object.keys(legacyRequestSchema.shape), 'stop_sequence', 'extra_stop_sequences'],
    ],
  ])('has every field of the schema below “%s”, and no other', (heading, fields) => {
    expect(sorted(namesBelow(heading))).toEqual(sorted(fields))
  })

  it('gives the same reasons for ignored fields as the server', () => {
    expect(rowsBelow('## Ignored fields')).toEqual(
      Object.entries(ignoredParameters).map(([name, why]) => [`\`${name}\``, why]),
    )
  })

  const shared = (table: UnsupportedParameters, other: UnsupportedParameters, isShared: boolean) =>
    Object.fromEntries(
      Object.entries(table).filter(
        ([name, entry]) => (JSON.stringify(other[name]) === JSON.stringify(entry)) === isShared,
      ),
    )

  it.each([
    [
      '### Of chat completions and completions',
      shared(unsupportedChatParameters, unsupportedCompletionParameters, true),
    ],
    ['### Of chat completions', shared(unsupportedChatParameters, unsupportedCompletionParameters, false)],
    ['### Of completions', shared(unsupportedCompletionParameters, unsupportedChatParameters, false)],
    ['### Of embeddings', unsupportedEmbeddingParameters],
    ['### Of tokenize', unsupportedTokenizeParameters],
    ['### Of messages', unsupportedMessageParameters],
    ['### Of /api/chat', unsupportedOllamaChatParameters],
    ['### Of /api/generate', unsupportedOllamaGenerateParameters],
    ['### Of responses', unsupportedResponseParameters],
  ])('lists the refused fields and what to use instead below “%s”', (heading, table) => {
    expect(rowsBelow(heading)).toEqual(
      Object.entries(table).map(([name, { off, instead }]) => [
        `\`${name}\``,
        off.map((value) => `\`${JSON.stringify(value)}\``).join(', ') || '—',
        instead,
      ]),
    )
  })

  it('no field is in two tables', () => {
    for (const [schema, table] of [
      [chatRequestSchema, unsupportedChatParameters],
      [completionRequestSchema, unsupportedCompletionParameters],
      [embeddingRequestSchema, unsupportedEmbeddingParameters],
      [tokenizeRequestSchema, unsupportedTokenizeParameters],
    ] as const) {
      const names = [schema.shape, table, ignoredParameters].flatMap((one) => Object.keys(one))
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
    }
  })
})
