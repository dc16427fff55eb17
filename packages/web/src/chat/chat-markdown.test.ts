import { expect, it } from 'vitest'
import { chatToMarkdown, fileNameOf } from './chat-markdown.ts'
import type { Chat, Message } from './types.ts'

const words = { you: 'You', untitledChat: 'Untitled', thoughts: 'Thoughts', systemPrompt: 'System prompt' }

it('writes each message with its speaker, in order', () => {
  const chat = { title: 'Ships', settings: { systemPrompt: 'Be brief.\nAlways.' } } as Chat
  const path = [
    { role: 'user', content: 'Hello', attachments: [{ id: 'a', name: 'a.txt', text: 'x' }] },
    { role: 'assistant', content: '<think>Hm.</think>Hi **there**', model: 'small' },
  ] as unknown as Message[]
  expect(chatToMarkdown(chat, path, words)).toBe(`# Ships

> System prompt: Be brief.
> Always.

## You

File: a.txt
\`\`\`
x
\`\`\`

Hello

## small

> Thoughts
>
> Hm.

Hi **there**

`)
})

it.each([
  ['What/is: "this"?', 'What is this'],
  ['..', 'chat'],
  ['', 'chat'],
  ['a\n\tb', 'a b'],
  ['x'.repeat(200), 'x'.repeat(80)],
])('the file of %j is %j', (title, name) => expect(fileNameOf(title)).toBe(name))
