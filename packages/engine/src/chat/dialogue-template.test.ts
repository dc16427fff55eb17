import { describe, expect, it } from 'vitest'
import { dialogueSchema } from '../models/model-spec.ts'
import { createDialogueTemplate } from './dialogue-template.ts'
import { LITERAL_MARK } from './literal-text.ts'

const preamble =
  'A chat between a curious human and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions.###" +
  'Assistant: Hi! How can I help you?###'

const template = (dialogue: object = {}) => createDialogueTemplate(dialogueSchema.parse(dialogue))

describe('createDialogueTemplate', () => {
  it("writes what the original's page sends for the first question", () => {
    expect(template().render([{ role: 'user', content: 'Hi' }])).toBe(`${preamble}Human: Hi###Assistant:`)
  })

  it("writes what the original's page has sent, turn by turn", () => {
    const rendered = template().render([
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: ' Hello!' },
      { role: 'user', content: 'Bye' },
    ])
    expect(rendered).toBe(`${preamble}Human: Hi###Assistant: Hello!###Human: Bye###Assistant:`)
    const trimmed = template().render([
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello!' },
      { role: 'user', content: 'Bye' },
    ])
    expect(trimmed).toBe(rendered)
  })

  it('takes a system prompt from the messages, then from the config', () => {
    const user = { role: 'user', content: 'Hi' } as const
    expect(template().render([{ role: 'system', content: 'Be brief.' }, user])).toBe(
      'Be brief.###Human: Hi###Assistant:',
    )
    expect(template({ systemPrompt: 'Rhyme.' }).render([user])).toBe('Rhyme.###Human: Hi###Assistant:')
    expect(template({ systemPrompt: '' }).render([user])).toBe('Human: Hi###Assistant:')
  })

  it('leaves the last answer open if it is to be continued', () => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Well,' },
    ] as const
    expect(template({ systemPrompt: '' }).render(messages, { addGenerationPrompt: false })).toBe(
      'Human: Hi###Assistant: Well,',
    )
  })

  it("stops at the model's sequences", () => {
    expect(template().stopSequences).toEqual(['###', '</s>'])
    expect(
      template({ stopToken: '</s>', sepToken: '\n\n', extraStopSequences: ['\n\nHuman'] }).stopSequences,
    ).toEqual(['</s>', '\n\nHuman'])
  })

  it("writes Falcon's dialogues as the original's page does: answers may contain line breaks", () => {
    const falcon = template({
      sepToken: '\n',
      stopToken: '\n',
      stopAtStopToken: false,
      extraStopSequences: ['<|endoftext|>', '\nUser:'],
      userPrefix: 'User:',
      assistantPrefix: 'Falcon:',
      systemPrompt: '',
    })
    const rendered = falcon.render([
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: ' Hello!' },
      { role: 'user', content: 'Bye' },
    ])
    expect(rendered).toBe('User: Hi\nFalcon: Hello!\nUser: Bye\nFalcon:')
    expect(falcon.stopSequences).toEqual(['<|endoftext|>', '\nUser:'])
  })

  it('marks control tokens that messages spell out, not those of the config', () => {
    const dialogue = dialogueSchema.parse({ stopToken: '</s>', systemPrompt: '<s>Be kind.' })
    const rendered = createDialogueTemplate(dialogue, ['<s>', '</s>']).render([
      { role: 'user', content: 'What is </s>?' },
      { role: 'assistant', content: 'The end.' },
      { role: 'user', content: 'Oh' },
    ])
    expect(rendered).toBe(
      `<s>Be kind.###Human: What is <${LITERAL_MARK}/s>?###Assistant: The end.</s>Human: Oh###Assistant:`,
    )
  })
})
