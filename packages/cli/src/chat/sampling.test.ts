import { describe, expect, it } from 'vitest'
import { chatSampling } from './sampling.ts'

describe('chatSampling', () => {
  it('takes the user’s temperature, else the model’s, else the usual', () => {
    expect(chatSampling({}, undefined)).toMatchObject({ temperature: 0.6, topP: 0.9 })
    expect(chatSampling({ temperature: 0.2 }, undefined)).toMatchObject({ temperature: 0.2, topP: undefined })
    expect(chatSampling({ temperature: 0.2, top_p: 0.5 }, 1)).toMatchObject({ temperature: 1, topP: 0.5 })
    expect(chatSampling({ do_sample: 0, temperature: 0.2 }, undefined).temperature).toBe(0)
    expect(chatSampling({}, 0).temperature).toBe(0)
  })
})
