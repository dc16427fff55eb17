import { expect, it } from 'vitest'
import { parseSwarm } from './swarm.ts'

it('takes join commands as the server sent them, and drops incomplete ones', () => {
  const join = [
    { blocks: { start: 3, end: 6 }, command: "npx petals-chat contribute '/my models/llama' --blocks 3:6" },
    { command: 'npx petals-chat contribute org/llama' },
    { blocks: { start: 'x' }, command: 'without its blocks' },
    { blocks: { start: 1, end: 2 } },
    'nonsense',
  ]
  expect(parseSwarm({ models: [{ id: 'a', join }] })[0]!.join).toEqual([
    join[0],
    { blocks: undefined, command: 'npx petals-chat contribute org/llama' },
    { blocks: undefined, command: 'without its blocks' },
  ])
  expect(parseSwarm({ models: [{ id: 'a', join: 4 }] })[0]!.join).toEqual([])
})

it('takes verdicts that it knows, and no others', () => {
  const verdicts = [{ kind: 'wrong' }, { kind: 'disputed', against: [] }, { kind: 'new' }, 'wrong', undefined]
  const servers = verdicts.map((verdict) => ({ peer: 'Qm', verdict }))
  expect(parseSwarm({ models: [{ id: 'a', servers }] })[0]!.servers.map(({ verdict }) => verdict)).toEqual([
    'wrong',
    'disputed',
    undefined,
    undefined,
    undefined,
  ])
})
