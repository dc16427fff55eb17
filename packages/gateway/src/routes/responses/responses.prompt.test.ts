import { describe, expect, it } from 'vitest'
import { promptOf, refusal } from './fixtures/responses.ts'

describe('the prompt of a response', () => {
  it('has one message of each speaker in turn, with instructions first', async () => {
    const prompt = await promptOf({
      instructions: 'Be brief.',
      input: [
        { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'Be kind.' }] },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'Note' },
            { type: 'input_text', text: 'Line' },
          ],
        },
        { role: 'user', content: 'Hello' },
        { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'Secret' }] },
        {
          type: 'message',
          role: 'assistant',
          content: [{ type: 'output_text', text: 'Yes.', annotations: [] }],
        },
        { role: 'user', content: 'Go on.' },
      ],
    })
    expect(prompt).toContain('Be brief.\n\nBe kind.')
    expect(prompt).toContain('Note\nLine\n\nHello')
    expect(prompt).toContain('Yes.')
    expect(prompt).not.toContain('Secret')
  })

  const long = [
    { role: 'system', content: 'Be brief.' },
    ...Array.from({ length: 30 }, (_each, index) => [
      { role: 'user', content: `Question ${index} ${'x'.repeat(30)}` },
      { role: 'assistant', content: `Answer ${index}` },
    ]).flat(),
    { role: 'user', content: 'The last.' },
  ]

  it('leaves out the oldest turns with truncation auto, and is refused without', async () => {
    const options = { contextLength: 600 }
    const prompt = await promptOf({ input: long, truncation: 'auto' }, options)
    expect(prompt).toContain('Be brief.')
    expect(prompt).toContain('The last.')
    expect(prompt).toContain('Question 29')
    expect(prompt).not.toContain('Question 0 ')
    expect(await refusal({ input: long }, options)).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    })
    const tooLong = { input: 'x'.repeat(700), truncation: 'auto' }
    expect(await refusal(tooLong, options)).toMatchObject({ code: 'context_length_exceeded' })
  })
})
