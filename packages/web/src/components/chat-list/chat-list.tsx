import { useEffect, useMemo, useRef, useState } from 'react'
import { useServices } from '../../app/services.ts'
import { useWritingChats } from '../../app/current-chat.ts'
import { groupChats, type ChatGroupName } from '../../chat/chat-groups.ts'
import { isListed } from '../../chat/sides.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { ChatItem } from './chat-item.tsx'
import { ChatSearchField, ChatSearchResults } from './chat-search.tsx'
import { moveInList } from './move-in-list.ts'
import { useChatSearch } from './use-chat-search.ts'
import './chat-list.css'

/** Chats that are rendered at once; more follow near the end of the list, so that thousands cost nothing. */
const PAGE = 100

const groupTexts = {
  pinned: 'groupPinned',
  today: 'groupToday',
  yesterday: 'groupYesterday',
  lastWeek: 'groupLastWeek',
  lastMonth: 'groupLastMonth',
  older: 'groupOlder',
} as const satisfies Record<ChatGroupName, string>

/** All chats, with a field to search them. */
export function ChatList({ onNavigate }: { readonly onNavigate: () => void }) {
  const { chats } = useServices()
  const hasChats = useStore(chats, (state) => [...state.chats.values()].some(isListed))
  const [query, setQuery] = useState('')
  const search = useChatSearch(query)
  const list = useRef<HTMLDivElement>(null)
  if (!hasChats && !query) return <div className="chat-list" />
  return (
    <>
      <ChatSearchField query={query} search={search} onChange={setQuery} list={list} />
      <div
        ref={list}
        className="chat-list"
        onKeyDown={(event) => moveInList(event, () => document.getElementById('chat-search')?.focus())}
      >
        {query.trim() ? (
          <ChatSearchResults search={search} onNavigate={onNavigate} />
        ) : (
          <ChatGroups onNavigate={onNavigate} />
        )}
      </div>
    </>
  )
}

function ChatGroups({ onNavigate }: { readonly onNavigate: () => void }) {
  const { chats, router } = useServices()
  const texts = useTexts()
  const byId = useStore(chats, (state) => state.chats)
  const current = useStore(router, (route) => (route.page === 'chat' ? route.chatId : undefined))
  const writing = useWritingChats()
  const [shown, setShown] = useState(PAGE)
  const groups = useMemo(() => groupChats(byId.values(), new Date()), [byId])
  // The list has one tab stop: the item that had the focus last, else the shown chat, else the first.
  const [focused, setFocused] = useState<string>()
  const visibleIds = new Set(
    groups.flatMap(({ chats: members }) => members.map(({ id }) => id)).slice(0, shown),
  )
  const tabStop =
    [focused, current].find((id) => id !== undefined && visibleIds.has(id)) ?? [...visibleIds][0]
  let room = shown
  return (
    <>
      {groups.map(({ name, chats: members }) => {
        const visible = members.slice(0, Math.max(0, room))
        room -= members.length
        if (visible.length === 0) return null
        return (
          <section key={name} aria-label={texts[groupTexts[name]]}>
            <h2 className="chat-group">{texts[groupTexts[name]]}</h2>
            <ul>
              {visible.map((chat) => (
                <ChatItem
                  key={chat.id}
                  chat={chat}
                  isCurrent={chat.id === current}
                  isWriting={writing.has(chat.id)}
                  isTabStop={chat.id === tabStop}
                  onFocus={setFocused}
                  onNavigate={onNavigate}
                />
              ))}
            </ul>
          </section>
        )
      })}
      {shown < byId.size && <EndOfPage onReach={() => setShown(shown + PAGE)} />}
    </>
  )
}

/** Calls back when it scrolls into view. */
function EndOfPage({ onReach }: { readonly onReach: () => void }) {
  const element = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const { current } = element
    if (!current) return undefined
    const observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) onReach()
    })
    observer.observe(current)
    return () => observer.disconnect()
  })
  return <div ref={element} className="chat-list-end" />
}
