import { parseModelSource } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { locationOf, repositoryOf } from './model-location.ts'

describe('locationOf', () => {
  it.each([
    ['hf:petals-team/StableBeluga2', 'llama', 'StableBeluga2-hf'],
    ['hf:meta-llama/Llama-2-70b-chat-hf@main', 'llama', 'Llama-2-70b-chat-hf'],
    ['hf:meta-llama/Meta-Llama-3.1-405B-Instruct', 'llama', 'Meta-Llama-3-1-405B-Instruct-hf'],
    ['hf:bigscience/bloomz', 'bloom', 'bigscience/bloomz-petals'],
    ['./folder || hf:tiiuae/falcon-180B-chat', 'falcon', 'falcon-180B-chat'],
  ] as const)('derives the prefix of %s as Petals does', (text, modelType, dhtPrefix) => {
    const source = parseModelSource(text)
    expect(locationOf({ id: 'm', source, adapter: 'a/b' }, { modelType, blocks: 80 })).toEqual({
      dhtPrefix,
      numBlocks: 80,
      adapter: 'a/b',
    })
  })

  it('uses the configured prefix', () => {
    const spec = { id: 'm', source: parseModelSource('hf:o/r'), dhtPrefix: 'mine' }
    expect(locationOf(spec, { modelType: 'llama', blocks: 6 }).dhtPrefix).toBe('mine')
  })

  it('asks for the prefix of a local folder', () => {
    const source = parseModelSource('./folder')
    expect(() => locationOf({ id: 'm', source }, { modelType: 'llama', blocks: 6 })).toThrow(
      /name of the model 'm' in the swarm is not known: .* local folder \.\/folder\. Give its dhtPrefix \(--dht-prefix\)/,
    )
  })
})

describe('repositoryOf', () => {
  it.each([
    ['hf:o/r', 'o/r'],
    ['hf:o/r@v1.0', 'o/r'],
    ['/models/hf/r', undefined],
    ['./hf:o', undefined],
  ])('%s', (text, repository) => expect(repositoryOf(parseModelSource(text))).toBe(repository))
})
