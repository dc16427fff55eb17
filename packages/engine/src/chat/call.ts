import type { ToolCall } from './chat-template.ts'

/** A call before it has an id. */
export type Call = Omit<ToolCall, 'id'>
