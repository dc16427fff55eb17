import { useServices } from '../../app/services.ts'
import type { Message } from '../../chat/types.ts'
import { messageElementId } from '../element-ids.ts'
import { focusSoon } from '../../ui/reveal.ts'

/** Deletes a message with all that follows it, and offers to undo that. */
export function useDeleteMessage({ chatId, id }: Pick<Message, 'chatId' | 'id'>): () => void {
  const { conversation, notices } = useServices()
  return () => {
    const restore = conversation.deleteBranch(chatId, id)
    const run = (): void => {
      restore()
      focusSoon(messageElementId(id))
    }
    notices.show({ text: 'messageDeleted', action: { label: 'undo', run } })
  }
}
