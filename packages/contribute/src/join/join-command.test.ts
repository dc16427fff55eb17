import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { blockSpans, joinCommand, joinCommands, quoteWord } from './join-command.ts'

const peer = '/ip4/10.1.2.3/tcp/31234/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44'
const beluga = { model: 'petals-team/StableBeluga2', swarm: 'public' } as const

describe('joinCommand', () => {
  it('names the repository and the public swarm', () => {
    expect(joinCommand('npx petals-chat', beluga)).toBe(
      'npx petals-chat contribute petals-team/StableBeluga2 --swarm public',
    )
  })

  it('names the addresses, the prefix, the adapters and the gap of a private swarm', () => {
    const target = {
      model: '/data/my models/llama',
      swarm: [peer, `${peer}x`],
      dhtPrefix: 'llama-hf',
      adapters: ['timdettmers/guanaco-65b', 'org/other'],
    }
    expect(joinCommand('npm start --', target, { start: 4, end: 8 })).toBe(
      `npm start -- contribute '/data/my models/llama' --swarm '${peer},${peer}x' --dht-prefix llama-hf ` +
        `--adapters 'timdettmers/guanaco-65b,org/other' --blocks 4:8`,
    )
  })

  it('is one command for each gap, or one whose server chooses its blocks', () => {
    expect(joinCommands('x', beluga, { missingBlocks: [3, 4, 5, 9] })).toEqual([
      { blocks: { start: 3, end: 6 }, command: expect.stringMatching(/ --blocks 3:6$/) as string },
      { blocks: { start: 9, end: 10 }, command: expect.stringMatching(/ --blocks 9:10$/) as string },
    ])
    expect(joinCommands('x', beluga, { missingBlocks: [] })).toEqual([
      { command: 'x contribute petals-team/StableBeluga2 --swarm public' },
    ])
  })

  it('has a placeholder for a model whose files are unknown', () => {
    expect(joinCommand('x', { ...beluga, model: undefined })).toBe('x contribute MODEL --swarm public')
  })
})

describe('quoteWord', () => {
  const words = [
    'plain/name-1.5:a@main',
    'two words',
    "it's",
    `it's "$HOME" \`id\``,
    'a,b',
    '@list',
    '$(touch x); rm -rf "$HOME"',
    '',
    'back\\slash',
    'Ünï 模型',
    'Bob’s “best” models',
    'new\nline',
  ]

  it.each(words)('keeps %j one word in a shell', (word) => {
    const printed = execFileSync('/bin/sh', ['-c', `printf '%s|' x ${quoteWord(word)}`]).toString()
    expect(printed).toBe(`x|${word}|`)
  })

  it('chooses quotation marks that a typographic one in the word does not close in PowerShell', () => {
    expect(quoteWord('Bob’s model')).toBe('"Bob’s model"')
    expect(quoteWord('the “best”')).toBe("'the “best”'")
  })
})

it('joins consecutive blocks', () => {
  expect(blockSpans([])).toEqual([])
  expect(blockSpans([0, 1, 2, 7, 9, 10])).toEqual([
    { start: 0, end: 3 },
    { start: 7, end: 8 },
    { start: 9, end: 11 },
  ])
})
