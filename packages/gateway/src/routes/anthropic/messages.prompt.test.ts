import { describe, expect, it } from 'vitest'
import { messageOf, messages, promptOf, tools } from './fixtures/messages.ts'

describe('the prompt of a message', () => {
  it('has the system prompt, and the blocks of a turn in lines of their own', async () => {
    const prompt = await promptOf({
      system: [
        { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } },
        { type: 'text', text: 'Be kind.' },
      ],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'A note' },
            {
              type: 'document',
              title: 'Letter',
              source: { type: 'text', media_type: 'text/plain', data: 'Dear Ann' },
            },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Secret', signature: 's' },
            { type: 'text', text: 'Yes.' },
          ],
        },
        { role: 'user', content: 'Go on.' },
      ],
    })
    expect(prompt).toContain('Be brief.\nBe kind.')
    expect(prompt).toContain('A note\nLetter\nDear Ann')
    expect(prompt).toContain('Yes.')
    expect(prompt).not.toContain('Secret')
  })

  it('is the same with null for what may be left out', async () => {
    const call = { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'weather', input: {} }] }
    const promptWith = (fields: object, system: object) =>
      promptOf({
        tools,
        ...system,
        messages: [
          ...messages,
          call,
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', ...fields }] },
        ],
      })
    expect(await promptWith({ content: null }, { system: null })).toBe(await promptWith({}, {}))
  })

  it('has the results of tools before the words that came with them, and says which failed', async () => {
    const prompt = await promptOf({
      tools,
      messages: [
        ...messages,
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'Paris' } },
            { type: 'tool_use', id: 'b', name: 'weather', input: { city: 'Rome' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'rain' }] },
            { type: 'tool_result', tool_use_id: 'b', content: 'no such city', is_error: true },
            { type: 'text', text: 'And now?' },
          ],
        },
      ],
    })
    const places = ['"city":"Paris"', 'rain', 'Error: no such city', 'And now?'].map((text) =>
      prompt.replaceAll('": "', '":"').indexOf(text),
    )
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places[0]).toBeGreaterThan(0)
  })

  it('continues an answer at its end', async () => {
    const begun = [...messages, { role: 'assistant', content: 'The capital is' }]
    const message = await messageOf({ messages: begun }, { reply: () => 'The capital is Paris.' })
    expect(message.content).toEqual([{ type: 'text', text: ' Paris.', citations: null }])
  })
})
