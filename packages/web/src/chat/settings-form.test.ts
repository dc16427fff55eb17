import { describe, expect, it } from 'vitest'
import { fromForm, toForm } from './settings-form.ts'
import type { ChatSettings } from './types.ts'

const empty = toForm({})
const settings: ChatSettings = {
  systemPrompt: 'You are a pirate.',
  temperature: 0.7,
  topP: 1,
  topK: 0,
  minP: 0.05,
  repetitionPenalty: 1.1,
  maxTokens: 512,
  seed: 42,
  stop: ['###', '\n\nHuman:', 'a\\nb'],
}

it('restores settings from their form', () => {
  expect(fromForm(toForm(settings))).toEqual({ settings, problems: {} })
  expect(fromForm(empty)).toEqual({ settings: {}, problems: {} })
})

describe('fromForm', () => {
  it.each([
    ['temperature', '0,7', 0.7],
    ['temperature', ' .5 ', 0.5],
    ['topK', '40', 40],
  ] as const)('reads %s %j', (key, text, value) =>
    expect(fromForm({ ...empty, [key]: text }).settings[key]).toBe(value),
  )

  it.each([
    ['temperature', '2.1', { kind: 'out-of-range', min: 0, max: 2 }],
    ['temperature', '-1', { kind: 'out-of-range', min: 0, max: 2 }],
    ['temperature', 'warm', { kind: 'not-a-number' }],
    ['temperature', '1e1', { kind: 'not-a-number' }],
    ['temperature', 'Infinity', { kind: 'not-a-number' }],
    ['topK', '1.5', { kind: 'not-whole' }],
    ['maxTokens', '0', { kind: 'out-of-range', min: 1, max: 1_000_000 }],
    ['stop', 'a\nb\nc\nd\ne', { kind: 'too-many-stops', max: 4 }],
    ['stop', 'x'.repeat(1001), { kind: 'stop-too-long', max: 1000 }],
  ] as const)('refuses %s %j, and leaves it out', (key, text, problem) => {
    const { settings: read, problems } = fromForm({ ...empty, [key]: text })
    expect(problems).toEqual({ [key]: problem })
    expect(read).toEqual({})
  })
})
