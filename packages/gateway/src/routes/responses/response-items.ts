import type { OutputItem, ResponseEvent, TextLogprob } from '@petals-chat/api'
import type { ChatPart } from '../../generation/chat/chat-part.ts'
import { customInput } from './custom-input.ts'
import type { ApprovedCall } from './mcp/approvals.ts'
import type { McpList } from './mcp/mcp-tools.ts'
import type { CallResult } from './mcp/run-call.ts'
import type { ToolTable } from './tool-table.ts'

/** An event without its number in the stream. */
export type Unnumbered<Event = ResponseEvent> = Event extends ResponseEvent
  ? Omit<Event, 'sequence_number'>
  : never

type Status = 'in_progress' | 'completed' | 'incomplete'
type McpCall = Extract<OutputItem, { type: 'mcp_call' }>

/** Sorts the parts of an answer into items, as the events that a stream of the Responses API has between begin and end. */
export class ResponseItems {
  readonly #items: OutputItem[] = []
  readonly #answerId: string
  readonly #tools: ToolTable
  /** Calls at MCP servers that have no result yet, by the id that the model's answer has for them. */
  readonly #calling = new Map<string, number>()
  #isOpen = false
  #callId = ''
  #text = ''
  #logprobs: TextLogprob[] = []

  constructor(answerId: string, tools: ToolTable) {
    this.#answerId = answerId
    this.#tools = tools
  }

  /** The items so far; the one that is being written still has no text. */
  get items(): readonly OutputItem[] {
    return this.#items
  }

  /** The items so far; the one that is being written is cut. */
  get cut(): readonly OutputItem[] {
    const open = this.#open
    const items =
      open === undefined ? this.#items : [...this.#items.slice(0, -1), this.#finished(open, 'incomplete')]
    return items.map((item) => (item.type === 'mcp_call' && item.status === 'calling' ? cutCall(item) : item))
  }

  /** `logprobs`: of the tokens of a piece of text. */
  *write(part: ChatPart, logprobs: readonly TextLogprob[]): Generator<Unnumbered> {
    switch (part.type) {
      case 'reasoning':
        if (this.#open?.type !== 'reasoning') yield* this.#begin({ type: 'reasoning', ...emptyReasoning })
        yield { type: 'response.reasoning_text.delta', ...this.#part, delta: part.text }
        break
      case 'content':
        if (this.#open?.type !== 'message') yield* this.#begin({ type: 'message', ...emptyMessage })
        this.#logprobs.push(...logprobs)
        yield { type: 'response.output_text.delta', ...this.#part, delta: part.text, logprobs }
        break
      case 'tool-call':
        yield* this.#begin(this.#newCall(part.id, part.name))
        this.#callId = part.id
        return
      case 'tool-arguments':
        // The model writes the text for a custom tool as JSON, which can be read only when it is complete.
        if (this.#open?.type === 'function_call')
          yield { type: 'response.function_call_arguments.delta', ...this.#place, delta: part.text }
        if (this.#open?.type === 'mcp_call')
          yield { type: 'response.mcp_call_arguments.delta', ...this.#place, delta: part.text }
    }
    this.#text += part.text
  }

  *end(status: Status): Generator<Unnumbered> {
    yield* this.#endOpen(status)
    // A call whose result does not come any more.
    for (const [callId, index] of this.#calling) {
      this.#calling.delete(callId)
      yield* this.#done(index, cutCall(this.#items[index] as McpCall))
    }
  }

  /** The tools of an MCP server. */
  *list({ label, tools, problem }: McpList): Generator<Unnumbered> {
    const error = problem ?? null
    const item = { type: 'mcp_list_tools', id: this.#newId('mcp_list_tools'), server_label: label } as const
    const added = { ...item, tools: [], error: null }
    yield* this.#add(added)
    yield { type: 'response.mcp_list_tools.in_progress', ...this.#place }
    const hasFailed = error !== null && tools.length === 0
    yield { type: `response.mcp_list_tools.${hasFailed ? 'failed' : 'completed'}`, ...this.#place }
    yield* this.#done(this.#items.length - 1, { ...item, tools: tools.map(listedTool), error })
  }

  /** A call that was approved, and has run before the answer. */
  *approved({ requestId, label, name, input, result }: ApprovedCall): Generator<Unnumbered> {
    yield* this.#begin({ ...newMcpCall(label, name), approval_request_id: requestId })
    this.#text = input
    this.#callId = requestId
    yield* this.#endOpen('completed')
    yield* this.result(requestId, result)
  }

  /** What became of a call at an MCP server. */
  *result(callId: string, { text, isError }: CallResult): Generator<Unnumbered> {
    yield* this.#endOpen('completed')
    const index = this.#calling.get(callId)
    if (index === undefined) return
    this.#calling.delete(callId)
    const item = this.#items[index] as McpCall
    const status = isError ? 'failed' : 'completed'
    yield { type: `response.mcp_call.${status}`, output_index: index, item_id: item.id }
    yield* this.#done(index, { ...item, status, output: isError ? null : text, error: isError ? text : null })
  }

  *#endOpen(status: Status): Generator<Unnumbered> {
    const item = this.#open
    if (item === undefined) return
    const index = this.#items.length - 1
    if (item.type === 'mcp_approval_request') yield this.#added(this.#finished(item, status))
    yield* this.#last(item)
    const done = this.#finished(item, status)
    if (done.type === 'mcp_call' && done.status === 'calling') {
      this.#items.splice(index, 1, done)
      this.#calling.set(this.#callId, index)
    } else yield* this.#done(index, done)
    this.#isOpen = false
    this.#text = ''
    this.#logprobs = []
  }

  *#done(index: number, item: OutputItem): Generator<Unnumbered> {
    this.#items.splice(index, 1, item)
    yield { type: 'response.output_item.done', output_index: index, item }
  }

  get #open(): OutputItem | undefined {
    return this.#isOpen ? this.#items.at(-1) : undefined
  }

  get #place() {
    return { output_index: this.#items.length - 1, item_id: this.#items.at(-1)!.id }
  }

  get #part() {
    return { ...this.#place, content_index: 0 }
  }

  *#begin(item: DistributiveOmit<OutputItem, 'id' | 'status'>): Generator<Unnumbered> {
    yield* this.#endOpen('completed')
    const added = { ...item, id: this.#newId(item.type), status: 'in_progress' } as OutputItem
    this.#isOpen = true
    // What has to be approved is sent when it is complete.
    if (added.type === 'mcp_approval_request') return void this.#items.push(added)
    yield* this.#add(added)
    if (item.type === 'reasoning') yield this.#partEvent('added', reasoningPart(''))
    if (item.type === 'message') yield this.#partEvent('added', textPart('', []))
    if (item.type === 'mcp_call') yield { type: 'response.mcp_call.in_progress', ...this.#place }
  }

  *#add(item: OutputItem): Generator<Unnumbered> {
    this.#items.push(item)
    yield this.#added(item)
  }

  #added(item: OutputItem): Unnumbered {
    return { type: 'response.output_item.added', output_index: this.#items.length - 1, item }
  }

  #newId(type: OutputItem['type']): string {
    return `${prefixes[type]}_${this.#answerId}${String(this.#items.length).padStart(4, '0')}`
  }

  #newCall(callId: string, shownName: string): DistributiveOmit<OutputItem, 'id' | 'status'> {
    const { type, name, namespace, mcp } = this.#tools.find(shownName)
    if (mcp?.needsApproval)
      return { type: 'mcp_approval_request', server_label: mcp.label, name, arguments: '' }
    if (mcp !== undefined) return newMcpCall(mcp.label, name)
    const call = { call_id: callId, name, ...(namespace !== undefined && { namespace }) }
    return type === 'custom'
      ? { type: 'custom_tool_call', ...call, input: '' }
      : { type: 'function_call', ...call, arguments: '' }
  }

  /** The events that give the whole text of an item. */
  *#last(item: OutputItem): Generator<Unnumbered> {
    const text = this.#text
    switch (item.type) {
      case 'reasoning':
        yield { type: 'response.reasoning_text.done', ...this.#part, text }
        return yield this.#partEvent('done', reasoningPart(text))
      case 'message':
        yield { type: 'response.output_text.done', ...this.#part, text, logprobs: this.#logprobs }
        return yield this.#partEvent('done', textPart(text, this.#logprobs))
      case 'function_call':
        return yield {
          type: 'response.function_call_arguments.done',
          ...this.#place,
          name: item.name,
          arguments: text,
        }
      case 'mcp_call':
        return yield { type: 'response.mcp_call_arguments.done', ...this.#place, arguments: text }
      case 'custom_tool_call':
        yield { type: 'response.custom_tool_call_input.delta', ...this.#place, delta: customInput(text) }
        return yield {
          type: 'response.custom_tool_call_input.done',
          ...this.#place,
          input: customInput(text),
        }
      case 'mcp_approval_request':
      case 'mcp_list_tools':
        // They have no text of their own.
        return
    }
  }

  #finished(item: OutputItem, status: Status): OutputItem {
    const text = this.#text
    switch (item.type) {
      case 'reasoning':
        return { ...item, status, content: [reasoningPart(text)] }
      case 'message':
        return { ...item, status, content: [textPart(text, [...this.#logprobs])] }
      case 'function_call':
        return { ...item, status, arguments: text }
      case 'custom_tool_call':
        return { ...item, status, input: customInput(text) }
      case 'mcp_call':
        return { ...item, status: status === 'completed' ? 'calling' : 'incomplete', arguments: text }
      case 'mcp_approval_request': {
        const { type, id, server_label, name } = item
        return { type, id, server_label, name, arguments: text }
      }
      case 'mcp_list_tools':
        return item
    }
  }

  #partEvent(moment: 'added' | 'done', part: ContentPart): Unnumbered {
    return { type: `response.content_part.${moment}`, ...this.#part, part }
  }
}

type DistributiveOmit<Value, Key extends PropertyKey> = Value extends unknown ? Omit<Value, Key> : never
type ContentPart = Extract<ResponseEvent, { type: 'response.content_part.added' }>['part']

const emptyReasoning = { summary: [], content: [] }
const emptyMessage = { role: 'assistant', content: [] } as const

const prefixes = {
  reasoning: 'rs',
  message: 'msg',
  function_call: 'fc',
  custom_tool_call: 'ctc',
  mcp_list_tools: 'mcpl',
  mcp_call: 'mcp',
  mcp_approval_request: 'mcpr',
} as const satisfies Record<OutputItem['type'], string>

const newMcpCall = (label: string, name: string): Omit<McpCall, 'id' | 'status'> => ({
  type: 'mcp_call',
  server_label: label,
  name,
  arguments: '',
  approval_request_id: null,
  output: null,
  error: null,
})

const cutCall = (item: McpCall): McpCall => ({ ...item, status: 'incomplete' })

const listedTool = ({ tool }: McpList['tools'][number]) => ({
  name: tool.ownName,
  description: tool.description,
  input_schema: tool.inputSchema,
  annotations: { read_only: tool.readOnly },
})

const reasoningPart = (text: string) => ({ type: 'reasoning_text', text }) as const
const textPart = (text: string, logprobs: readonly TextLogprob[]) =>
  ({ type: 'output_text', text, annotations: [], logprobs }) as const
