import { describe, expect, it } from 'vitest'
import { describeLocalPart } from './describe-model.ts'
import { readLocalPart } from './local-part.ts'

const sizes = (config: object) =>
  describeLocalPart(JSON.stringify(config))
    .filter(([label]) => label.startsWith('Embeds'))
    .map(([, size]) => size)

describe('the local part of a swarm model', () => {
  // The table of the original's README; the numbers of each model's own config.json.
  it('needs what the original’s table says', () => {
    expect(
      sizes({ model_type: 'llama', vocab_size: 32000, hidden_size: 8192, tie_word_embeddings: false }),
    ).toEqual(['1.05 GB', '2.10 GB'])
    expect(sizes({ model_type: 'llama', vocab_size: 32000, hidden_size: 8192 })).toEqual([
      '1.05 GB',
      '2.10 GB',
    ])
    expect(sizes({ model_type: 'bloom', vocab_size: 250880, n_embed: 14336 })).toEqual([
      '7.19 GB',
      '14.38 GB',
    ])
    expect(sizes({ model_type: 'bloom', vocab_size: 250880, hidden_size: 14336 })).toEqual([
      '7.19 GB',
      '14.38 GB',
    ])
  })

  it('is shown with its components', () => {
    expect(describeLocalPart('{"model_type":"llama","vocab_size":32000,"hidden_size":8192}')).toEqual([
      ['Embeddings', '32000 tokens x 8192, and an LM head'],
      ['Embeds in 16-bit', '1.05 GB'],
      ['Embeds in 32-bit', '2.10 GB'],
    ])
  })

  it.each([
    '',
    '[]',
    'null',
    '{}',
    '{"vocab_size":-1,"hidden_size":8}',
    '{"vocab_size":8,"hidden_size":"8"}',
    '{',
  ])('is unknown from %j', (text) => {
    expect(readLocalPart(text)).toBeUndefined()
    expect(describeLocalPart(text)).toEqual([])
  })
})
