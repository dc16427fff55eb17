import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { chat } from './chat.ts'

it('reports once why the model can’t be loaded, unless a log of it is asked for', async () => {
  await using folder = await temporaryFolder()
  await folder.write('page.gguf', '<html>')
  const { terminal, stderr } = recordingTerminal()
  const flags = { model: ['./page.gguf'] }
  const place = { terminal, environment: {}, workingDirectory: folder.path, flags }
  await expect(chat(place, ['Hello'])).rejects.toThrow('this is not a GGUF file')
  expect(stderr()).not.toContain('this is not a GGUF file')
  const asked = recordingTerminal()
  const withLog = { ...place, terminal: asked.terminal, flags: { ...flags, logLevel: 'info' } }
  await expect(chat(withLog, ['Hello'])).rejects.toThrow('this is not a GGUF file')
  expect(asked.stderr()).toContain('this is not a GGUF file')
})

it('asks the first of all models that another server lists', async () => {
  const asked: unknown[] = []
  await using server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    if (request.method === 'GET') return void response.end('{"data":[{"id":"org/a"},{"id":"org/b"}]}')
    const message = { role: 'assistant', content: 'Hi' }
    void readText(request).then((body) => {
      asked.push((JSON.parse(body) as { readonly model: string }).model)
      response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] }))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using folder = await temporaryFolder()
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const models = [{ id: 'lab', engine: 'upstream', baseUrl, models: 'auto' }]
  await folder.write('petals-chat.yaml', JSON.stringify({ models }))
  const { terminal, stdout } = recordingTerminal()
  const place = { terminal, environment: {}, workingDirectory: folder.path, flags: {} }
  expect(await chat(place, ['Hello'])).toBe(0)
  expect([asked, stdout()]).toEqual([['org/a'], 'Hi\n'])
})
