import { useEffect } from 'react'
import { useCurrentModel } from '../app/current-model.ts'
import { useServices } from '../app/services.ts'
import { emptyTree, pathTo } from '../chat/message-tree.ts'
import { NEW_CHAT } from '../chat/types.ts'
import { useStore } from '../state/use-store.ts'
import { AnswerAnnouncer } from './answer-announcer.tsx'
import { Composer } from './composer/composer.tsx'
import { DropZone } from './composer/drop-zone.tsx'
import { useAttachments } from './composer/use-attachments.ts'
import { Thread } from './thread.tsx'
import { Welcome } from './welcome.tsx'
import './chat-page.css'

/** One chat, or the beginning of a new one. */
export function ChatPage({ chatId }: { readonly chatId: string | undefined }) {
  const { chats, conversation, drafts, router } = useServices()
  const { model } = useCurrentModel()
  const chat = useStore(chats, (state) => (chatId ? state.chats.get(chatId) : undefined))
  const tree = useStore(chats, (state) => (chatId ? state.trees.get(chatId) : undefined)) ?? emptyTree
  const loaded = useStore(chats, (state) => state.status === 'ready')
  const draftId = chatId ?? NEW_CHAT
  const attachments = useAttachments(draftId)
  useEffect(() => {
    if (chatId) void chats.open(chatId)
  }, [chats, chatId])
  useEffect(() => {
    // A link to a chat that was deleted, or of another browser.
    if (chatId && loaded && !chat) router.go({ page: 'new' }, { replace: true })
  }, [chatId, loaded, chat, router])
  const path = pathTo(tree, chat?.leafId ?? null)
  const last = path.at(-1)
  return (
    <DropZone onFiles={attachments.addFiles}>
      {chatId ? <Thread key={chatId} tree={tree} path={path} /> : <Welcome model={model} />}
      <AnswerAnnouncer messageId={last?.id} status={last?.role === 'assistant' ? last.status : undefined} />
      <Composer
        draftId={draftId}
        model={model}
        running={last?.status === 'streaming'}
        path={path}
        attachments={attachments}
        onStop={() => last && conversation.stop(last)}
        onSend={(input) => {
          if (!model) return
          const id = chatId ?? conversation.createChat(model.id, drafts.draft(draftId).settings).id
          drafts.clear(draftId)
          conversation.send(id, input)
          if (!chatId) router.go({ page: 'chat', chatId: id })
        }}
      />
    </DropZone>
  )
}
