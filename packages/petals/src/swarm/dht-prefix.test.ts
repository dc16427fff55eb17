import { describe, expect, it } from 'vitest'
import { vector } from '../../fixtures/vectors.ts'
import type { ModelType } from '../layers/architecture.ts'
import { deriveDhtPrefix } from './dht-prefix.ts'

describe('deriveDhtPrefix', () => {
  it.each(Object.entries<{ model_type: ModelType; dht_prefix: string }>(vector('dht_prefix').value))(
    'prefix of %s',
    (repository, { model_type, dht_prefix }) => {
      expect(deriveDhtPrefix(model_type, repository)).toBe(dht_prefix)
    },
  )

  it('repositories that are named like their prefix', () => {
    expect(deriveDhtPrefix('bloom', 'bigscience/bloom-petals')).toBe('bigscience/bloom-petals')
    expect(deriveDhtPrefix('bloom', 'else/bloom-petals')).toBe('else/bloom-petals-petals')
    expect(deriveDhtPrefix('mixtral', 'mistralai/Mixtral-8x22B-Instruct-v0.1')).toBe(
      'mistralai/Mixtral-8x22B-Instruct-v0-1',
    )
  })
})
