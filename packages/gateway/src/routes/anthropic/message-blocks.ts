import type { MessageContentBlock, MessageEvent } from '@petals-chat/api'
import { callArguments } from '../../generation/chat/call-arguments.ts'
import type { ChatPart } from '../../generation/chat/chat-part.ts'

/** Sorts the parts of an answer into blocks, as the events that a stream of the Messages API has between begin and end. */
export class MessageBlocks {
  readonly #showsThoughts: boolean
  #index = -1
  #open: MessageContentBlock['type'] | undefined

  constructor({ showsThoughts }: { readonly showsThoughts: boolean }) {
    this.#showsThoughts = showsThoughts
  }

  *write(part: ChatPart): Generator<MessageEvent> {
    switch (part.type) {
      case 'reasoning':
        if (!this.#showsThoughts) return
        if (this.#open !== 'thinking') yield* this.#begin({ type: 'thinking', thinking: '', signature: '' })
        return void (yield this.#delta({ type: 'thinking_delta', thinking: part.text }))
      case 'content':
        if (this.#open !== 'text') yield* this.#begin({ type: 'text', text: '', citations: null })
        return void (yield this.#delta({ type: 'text_delta', text: part.text }))
      case 'tool-call': {
        const { id, name } = part
        return yield* this.#begin({ type: 'tool_use', id, name, input: {}, caller: { type: 'direct' } })
      }
      case 'tool-arguments':
        yield this.#delta({ type: 'input_json_delta', partial_json: part.text })
    }
  }

  *end(): Generator<MessageEvent> {
    if (this.#open === undefined) return
    // Clients wait for it before they take thoughts for complete.
    if (this.#open === 'thinking') yield this.#delta({ type: 'signature_delta', signature: '' })
    yield { type: 'content_block_stop', index: this.#index }
    this.#open = undefined
  }

  *#begin(block: MessageContentBlock): Generator<MessageEvent> {
    yield* this.end()
    this.#open = block.type
    yield { type: 'content_block_start', index: ++this.#index, content_block: block }
  }

  #delta(delta: Extract<MessageEvent, { type: 'content_block_delta' }>['delta']): MessageEvent {
    return { type: 'content_block_delta', index: this.#index, delta }
  }
}

/** Collects the events of blocks into the content of one body. */
export class MessageContent {
  readonly #blocks: MessageContentBlock[] = []
  #json = ''

  add(event: MessageEvent): void {
    if (event.type === 'content_block_start') this.#blocks.push(event.content_block)
    else if (event.type === 'content_block_delta') this.#extend(event.delta)
    else if (event.type === 'content_block_stop') this.#finish()
  }

  get blocks(): readonly MessageContentBlock[] {
    return this.#blocks
  }

  #extend(delta: Extract<MessageEvent, { type: 'content_block_delta' }>['delta']): void {
    const block = this.#blocks.pop()!
    if (block.type === 'text' && delta.type === 'text_delta')
      this.#blocks.push({ ...block, text: block.text + delta.text })
    else if (block.type === 'thinking' && delta.type === 'thinking_delta')
      this.#blocks.push({ ...block, thinking: block.thinking + delta.thinking })
    else {
      this.#blocks.push(block)
      if (delta.type === 'input_json_delta') this.#json += delta.partial_json
    }
  }

  #finish(): void {
    const block = this.#blocks.at(-1)
    if (block?.type === 'tool_use') this.#blocks.splice(-1, 1, { ...block, input: callArguments(this.#json) })
    this.#json = ''
  }
}
