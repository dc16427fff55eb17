import { describe, expect, it } from 'vitest'
import { eventsOf, promptOf, responseOf, weather } from './fixtures/responses.ts'

const patch = { type: 'custom', name: 'apply_patch', description: 'Changes files.' }

describe('tools', () => {
  const grammarReply = () => '{"name": "apply_patch", "arguments": {"input": "*** Begin\\n+hi"}}'

  it('of the kind custom take a text, which comes in an event of its own', async () => {
    const events = await eventsOf(
      { tools: [patch, weather], tool_choice: { type: 'custom', name: 'apply_patch' } },
      { grammarReply },
    )
    expect(events.filter(({ type }) => type.startsWith('response.custom'))).toMatchObject([
      { delta: '*** Begin\n+hi' },
      { input: '*** Begin\n+hi' },
    ])
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('no end')
    expect(last.response.output).toMatchObject([
      { type: 'custom_tool_call', name: 'apply_patch', input: '*** Begin\n+hi', status: 'completed' },
    ])
    const used = { ...last.response.output[0]!, status: undefined }
    const result = { type: 'custom_tool_call_output', call_id: 'call_1', output: 'Done!' }
    const prompt = await promptOf({
      tools: [patch],
      input: [{ role: 'user', content: 'Edit' }, { ...used, call_id: 'call_1' }, result],
    })
    expect(prompt).toContain('Done!')
    expect(prompt).toContain('*** Begin')
  })

  it('tell the model the grammar of their text', async () => {
    const format = { type: 'grammar', syntax: 'lark', definition: 'start: "a"+' }
    expect(await promptOf({ tools: [{ ...patch, format }] })).toContain('start: \\"a\\"+')
  })

  it('in groups have their group’s name in the call, and in the prompt only where two groups share a name', async () => {
    const group = (name: string) => ({ type: 'namespace', name, description: '', tools: [weather] })
    const other = { ...weather, name: 'other' }
    const answer = await responseOf(
      { tools: [{ ...group('a'), tools: [weather, other] }, group('b')], tool_choice: 'required' },
      { grammarReply: () => '{"name": "b__weather", "arguments": {"city": "Rome"}}' },
    )
    expect(answer.output).toMatchObject([{ type: 'function_call', name: 'weather', namespace: 'b' }])
    const alone = await responseOf(
      { tools: [group('a')], tool_choice: 'required' },
      { grammarReply: () => '{"name": "weather", "arguments": {"city": "Rome"}}' },
    )
    expect(alone.output).toMatchObject([{ name: 'weather', namespace: 'a' }])
    const calls = [{ type: 'function_call', call_id: 'x', namespace: 'b', name: 'weather', arguments: '{}' }]
    const outputs = [{ type: 'function_call_output', call_id: 'x', output: 'sunny' }]
    const input = [{ role: 'user', content: 'Hi' }, ...calls, ...outputs]
    expect(await promptOf({ tools: [group('a'), group('b')], input })).toContain('b__weather')
  })

  it('have different names in the prompt, however their own and those of their groups are put together', async () => {
    const named = (name: string) => ({ ...weather, name })
    const group = (name: string, ...names: string[]) => ({
      type: 'namespace',
      name,
      description: '',
      tools: names.map(named),
    })
    const tools = [named('x'), group('a', 'x', 'b__x'), named('a__x'), group('a__b', 'x'), named('b__x')]
    const called = async (name: string) => {
      const { output } = await responseOf(
        { tools, tool_choice: 'required' },
        { grammarReply: () => JSON.stringify({ name, arguments: {} }) },
      )
      return output
    }
    expect(await called('x')).toMatchObject([{ name: 'x' }])
    expect((await called('a__x'))[0]).not.toHaveProperty('namespace')
    expect(await called('a__x_2')).toMatchObject([{ namespace: 'a', name: 'x' }])
    expect(await called('a__b__x')).toMatchObject([{ namespace: 'a', name: 'b__x' }])
    expect(await called('a__b__x_2')).toMatchObject([{ namespace: 'a__b', name: 'x' }])
  })

  it('that search at OpenAI are left out, and the response says so', async () => {
    const search = { type: 'web_search', external_web_access: true }
    const seen: string[] = []
    const { tools } = await responseOf(
      { tools: [weather, search] },
      { reply: (prompt) => (seen.push(prompt), 'ok') },
    )
    expect(tools).toMatchObject([{ type: 'function', name: 'weather' }])
    expect(seen[0]).toContain('weather')
    expect(seen[0]).not.toContain('web_search')
  })
})
