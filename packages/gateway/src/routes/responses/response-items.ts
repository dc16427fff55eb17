import type { OutputItem, ResponseEvent, TextLogprob } from '@petals-chat/api'
import type { ChatPart } from '../../generation/chat/chat-part.ts'
import { customInput } from './custom-input.ts'
import type { ToolTable } from './tool-table.ts'

/** An event without its number in the stream. */
export type Unnumbered<Event = ResponseEvent> = Event extends ResponseEvent
  ? Omit<Event, 'sequence_number'>
  : never

type Status = OutputItem['status']

/** Sorts the parts of an answer into items, as the events that a stream of the Responses API has between begin and end. */
export class ResponseItems {
  readonly #items: OutputItem[] = []
  readonly #answerId: string
  readonly #tools: ToolTable
  #isOpen = false
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
    return open === undefined
      ? this.#items
      : [...this.#items.slice(0, -1), this.#finished(open, 'incomplete')]
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
        return yield* this.#begin(this.#newCall(part.id, part.name))
      case 'tool-arguments':
        // The model writes the text for a custom tool as JSON, which can be read only when it is complete.
        if (this.#open?.type === 'function_call')
          yield { type: 'response.function_call_arguments.delta', ...this.#place, delta: part.text }
    }
    this.#text += part.text
  }

  *end(status: Status): Generator<Unnumbered> {
    const item = this.#open
    if (item === undefined) return
    yield* this.#last(item)
    const done = this.#finished(item, status)
    this.#items.splice(-1, 1, done)
    yield { type: 'response.output_item.done', output_index: this.#place.output_index, item: done }
    this.#isOpen = false
    this.#text = ''
    this.#logprobs = []
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
    yield* this.end('completed')
    const id = `${prefixes[item.type]}_${this.#answerId}${String(this.#items.length).padStart(4, '0')}`
    const added = { ...item, id, status: 'in_progress' } as OutputItem
    this.#items.push(added)
    this.#isOpen = true
    yield { type: 'response.output_item.added', output_index: this.#place.output_index, item: added }
    if (item.type === 'reasoning') yield this.#partEvent('added', reasoningPart(''))
    if (item.type === 'message') yield this.#partEvent('added', textPart('', []))
  }

  #newCall(callId: string, shownName: string): DistributiveOmit<OutputItem, 'id' | 'status'> {
    const { type, name, namespace } = this.#tools.find(shownName)
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
      case 'custom_tool_call':
        yield { type: 'response.custom_tool_call_input.delta', ...this.#place, delta: customInput(text) }
        yield { type: 'response.custom_tool_call_input.done', ...this.#place, input: customInput(text) }
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
} as const satisfies Record<OutputItem['type'], string>

const reasoningPart = (text: string) => ({ type: 'reasoning_text', text }) as const
const textPart = (text: string, logprobs: readonly TextLogprob[]) =>
  ({ type: 'output_text', text, annotations: [], logprobs }) as const
