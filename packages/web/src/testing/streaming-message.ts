import type { Message } from '../chat/types.ts'

/** An answer of which nothing is there yet. */
export const streamingMessage: Message = {
  id: 'm',
  chatId: 'c',
  parentId: null,
  role: 'assistant',
  content: '',
  createdAt: 0,
  status: 'streaming',
}
