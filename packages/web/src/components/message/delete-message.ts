import { useServices } from '../../app/services.ts'
import type { Message } from '../../chat/types.ts'

/** Deletes a message with all that follows it, and offers to take that back. */
export function useDeleteMessage({ chatId, id }: Pick<Message, 'chatId' | 'id'>): () => void {
  const { conversation, notices } = useServices()
  return () => {
    const run = conversation.deleteBranch(chatId, id)
    // The button that was pressed is gone.
    document.getElementById('message')?.focus()
    notices.show({ text: 'messageDeleted', action: { label: 'undo', run } })
  }
}
