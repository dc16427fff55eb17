import { useEffect } from 'react'
import { useCurrentModel } from '../app/current-model.ts'
import { useServices } from '../app/services.ts'
import { emptyTree, pathTo } from '../chat/message-tree.ts'
import { useStore } from '../state/use-store.ts'
import { Composer } from './composer/composer.tsx'
import { Thread } from './thread.tsx'
import { Welcome } from './welcome.tsx'
import './chat-page.css'

/** One chat, or the beginning of a new one. */
export function ChatPage({ chatId }: { readonly chatId: string | undefined }) {
  const { chats, answers, conversation, router } = useServices()
  const { model } = useCurrentModel()
  const chat = useStore(chats, (state) => (chatId ? state.chats.get(chatId) : undefined))
  const tree = useStore(chats, (state) => (chatId ? state.trees.get(chatId) : undefined))
  const loaded = useStore(chats, (state) => state.status === 'ready')
  useEffect(() => {
    if (chatId) void chats.open(chatId)
  }, [chats, chatId])
  useEffect(() => {
    // A link to a chat that was deleted, or of another browser.
    if (chatId && loaded && !chat) router.go({ page: 'new' }, { replace: true })
  }, [chatId, loaded, chat, router])
  const path = tree ? pathTo(tree, chat?.leafId ?? null) : []
  const lastId = path.at(-1)?.id
  const running = useStore(answers.live, (live) => lastId !== undefined && live.has(lastId))
  return (
    <main className="chat-page">
      {chatId ? <Thread key={chatId} tree={tree ?? emptyTree} path={path} /> : <Welcome model={model} />}
      <Composer
        model={model}
        running={running}
        onStop={() => lastId && conversation.stop(lastId)}
        onSend={(input) => {
          if (!model) return
          const id = chatId ?? conversation.createChat(model.id).id
          conversation.send(id, input)
          if (!chatId) router.go({ page: 'chat', chatId: id })
        }}
      />
    </main>
  )
}
