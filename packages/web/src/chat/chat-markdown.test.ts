import { expect, it } from 'vitest'
import { chatToMarkdown, fileNameOf } from './chat-markdown.ts'
import type { Chat, Message } from './types.ts'

const words = {
  you: 'You',
  untitledChat: 'Untitled',
  thoughts: 'Thoughts',
  systemPrompt: 'System prompt',
  toolResult: 'Result',
}

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

it('writes calls of tools with their results, which are no markup', () => {
  const calls = [
    { id: 'c', name: 'add', title: 'Adder', server: 'Test', arguments: '{"a":1}', state: 'done' },
  ]
  const result = '```\n# 2 ![x](http://x)'
  const rounds = [{ content: 'Wait.', calls: calls.map((call) => ({ ...call, result })) }]
  const answer = { role: 'assistant', model: 'small', content: 'It is 2.', rounds } as unknown as Message
  const markdown = chatToMarkdown({ title: 'T', settings: {} } as Chat, [answer], words)
  expect(markdown).toBe(`# T

## small

Wait.

> Adder, Test
>
> \`\`\`
> {
>   "a": 1
> }
> \`\`\`
>
> Result
>
> \`\`\`\`
> \`\`\`
> # 2 ![x](http://x)
> \`\`\`\`

It is 2.

`)
})

it.each([
  ['What/is: "this"?', 'What is this'],
  ['..', 'chat'],
  ['', 'chat'],
  ['a\n\tb', 'a b'],
  ['x'.repeat(200), 'x'.repeat(80)],
])('the file of %j is %j', (title, name) => expect(fileNameOf(title)).toBe(name))
