import { expect, it } from 'vitest'
import { parseToolList } from './tools.ts'

it('reads what a server lists, and leaves out what is no tool', () => {
  const limits = { maxRounds: 3, timeoutSeconds: 9, maxResultChars: 99 }
  const tools = [
    { name: 'add', title: 'Adder', description: 'Adds.', inputSchema: { type: 'object' }, readOnly: true },
    { name: 'act', readOnly: 'yes' },
    { title: 'No name' },
    'x',
  ]
  const servers = [
    { name: 'test', builtIn: true, state: 'ready', tools },
    { name: 'gone', title: undefined, state: '?' },
    {},
  ]
  expect(parseToolList({ servers, limits })).toEqual({
    limits,
    servers: [
      {
        name: 'test',
        title: undefined,
        builtIn: true,
        state: 'ready',
        problem: undefined,
        tools: [
          tools[0],
          // In doubt, the reader is asked before every call.
          { name: 'act', title: 'act', description: '', inputSchema: {}, readOnly: false },
        ],
      },
      { name: 'gone', builtIn: false, state: 'unreachable', problem: undefined, tools: [] },
    ],
  })
  expect(parseToolList('x').servers).toEqual([])
})
