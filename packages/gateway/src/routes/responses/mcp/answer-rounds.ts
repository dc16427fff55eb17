import type { RequestMessage } from '@petals-chat/api'
import type { ToolBox } from '@petals-chat/engine'
import type { AnswerEvent, ChoiceCost, EndEvent } from '../../../generation/answer/answer-job.ts'
import type { ChatPart } from '../../../generation/chat/chat-part.ts'
import type { ChatTypes } from '../../../generation/chat/chat-choice-reader.ts'
import type { ToolTable } from '../tool-table.ts'
import { approvedMessages, type ApprovedCall } from './approvals.ts'
import type { McpList } from './mcp-tools.ts'
import { type CallResult, runCall, writableArguments } from './run-call.ts'

/** What happens at MCP servers while an answer is written. */
export type McpEvent =
  | { readonly type: 'mcp-list'; readonly list: McpList }
  | { readonly type: 'mcp-approved'; readonly call: ApprovedCall }
  | { readonly type: 'mcp-result'; readonly callId: string; readonly result: CallResult }

export type RoundEvent = AnswerEvent<ChatTypes> | McpEvent
type Events = AsyncIterable<AnswerEvent<ChatTypes>>

export interface RoundOptions {
  readonly lists: readonly McpList[]
  /** Runs the calls that the request approves, as they are read. */
  readonly approved: AsyncIterable<ApprovedCall>
  readonly tools: ToolTable
  readonly box: ToolBox
  readonly signal: AbortSignal
  /** Waits until another call may run. */
  turn(signal: AbortSignal): Promise<Disposable>
  /** Calls in all rounds. */
  readonly maxCalls: number
  /** Runs the first answer, to the dialogue with these messages of approved calls behind it. */
  first(messages: readonly RequestMessage[]): Promise<Events>
  /** Prepares and runs the answer to the dialogue with these messages behind it. `isLast`: without further calls. */
  next(messages: readonly RequestMessage[], isLast: boolean): Promise<Events>
}

/** Runs the approved calls and those of an answer at MCP servers, and lets the model go on, until it needs nothing more from here. */
export async function* answerRounds(options: RoundOptions): AsyncGenerator<RoundEvent, void, undefined> {
  const { lists, approved, tools, box, maxCalls } = options
  for (const list of lists) yield { type: 'mcp-list', list }
  const added: RequestMessage[] = []
  let calls = 0
  for await (const call of approved) {
    yield { type: 'mcp-approved', call }
    added.push(...approvedMessages(call, tools))
    calls++
  }
  let events = await options.first(added)
  let cost: ChoiceCost | undefined
  for (let round = 1; ; round++) {
    const answer = new Answer()
    let end: EndEvent<ChatTypes> | undefined
    for await (const event of events) {
      if (event.type === 'delta') answer.push(event.delta.parts)
      if (event.type === 'end') end = event
      else yield event
    }
    cost = sumOf(cost, end!.cost)
    const own =
      end!.finishReason === 'tool_calls' ? answer.calls.filter(({ name }) => tools.runsHere(name)) : []
    const results: RequestMessage[] = []
    for (const { id, name, input } of own) {
      const result: CallResult =
        ++calls > maxCalls
          ? { text: 'No more calls are allowed in this answer.', isError: true }
          : await runInTurn(options, { name: tools.boxName(name), input })
      yield { type: 'mcp-result', callId: id, result }
      results.push({ role: 'tool', tool_call_id: id, content: result.text })
    }
    // Calls of the client's own functions, and those that wait for approval, end the answer.
    if (own.length === 0 || own.length < answer.calls.length) return void (yield { ...end!, cost })
    added.push(answer.message, ...results)
    events = await options.next(added, round >= box.limits.maxRounds || calls >= maxCalls)
  }
}

async function runInTurn(
  { box, turn, signal }: Pick<RoundOptions, 'box' | 'turn' | 'signal'>,
  call: { readonly name: string; readonly input: string },
): Promise<CallResult> {
  using _turn = await turn(signal)
  return await runCall(box, call, { signal })
}

interface WrittenCall {
  readonly id: string
  readonly name: string
  input: string
}

/** What the model has written in one round. */
class Answer {
  readonly calls: WrittenCall[] = []
  #text = ''

  push(parts: readonly ChatPart[]): void {
    for (const part of parts) {
      if (part.type === 'content') this.#text += part.text
      if (part.type === 'tool-call') this.calls.push({ id: part.id, name: part.name, input: '' })
      if (part.type === 'tool-arguments') this.calls.at(-1)!.input += part.text
    }
  }

  get message(): RequestMessage {
    return {
      role: 'assistant',
      content: this.#text,
      tool_calls: this.calls.map(({ id, name, input }) => ({
        id,
        type: 'function',
        function: { name, arguments: writableArguments(input) },
      })),
    }
  }
}

function sumOf(before: ChoiceCost | undefined, { usage, ...cost }: ChoiceCost): ChoiceCost {
  if (before === undefined) return { ...cost, usage }
  return {
    ...before,
    usage: {
      ...usage,
      promptTokens: before.usage.promptTokens + usage.promptTokens,
      cachedTokens: before.usage.cachedTokens + usage.cachedTokens,
      completionTokens: before.usage.completionTokens + usage.completionTokens,
    },
  }
}
