import { useEffect, useState } from 'react'
import { formatRoute } from '../../app/router.ts'
import { useServices } from '../../app/services.ts'
import { searchChats, type ChatHit } from '../../chat/search-chats.ts'
import { isListed } from '../../chat/sides.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../state/use-store.ts'
import { shortcutHint } from '../shortcuts/key-words.ts'
import { IconButton } from '../button.tsx'
import { Icon } from '../icon.tsx'

/** Time after the last key before the messages are searched. */
const PAUSE_MS = 150

interface ChatSearchFieldProps {
  readonly query: string
  readonly onChange: (query: string) => void
}

export function ChatSearchField({ query, onChange }: ChatSearchFieldProps) {
  const texts = useTexts()
  return (
    <div className="chat-search" role="search">
      <Icon name="search" size={17} />
      <input
        id="chat-search"
        type="text"
        inputMode="search"
        aria-label={texts.searchChats}
        placeholder={texts.searchChats}
        title={shortcutHint('search', texts)}
        value={query}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape' || !query) return
          event.preventDefault()
          onChange('')
        }}
      />
      {query && (
        <IconButton size="small" icon="close" label={texts.clearSearch} onClick={() => onChange('')} />
      )}
    </div>
  )
}

interface ChatSearchResultsProps {
  readonly query: string
  readonly onNavigate: () => void
}

export function ChatSearchResults({ query, onNavigate }: ChatSearchResultsProps) {
  const { chats, router } = useServices()
  const texts = useTexts()
  const byId = useStore(chats, (state) => state.chats)
  const current = useStore(router, (route) => (route.page === 'chat' ? route.chatId : undefined))
  const { hits, done } = useChatSearch(query)
  const found = hits.flatMap((hit) => {
    const chat = byId.get(hit.chatId)
    return chat && isListed(chat) ? [{ ...hit, chat }] : []
  })
  return (
    <section aria-label={texts.searchResults}>
      <p className="chat-group" role="status">
        {done ? texts.searchFound(found.length) : texts.searching}
      </p>
      <ul>
        {found.map(({ chat, snippet }) => (
          <li key={chat.id} className="chat-item">
            <a
              className="chat-link"
              href={formatRoute({ page: 'chat', chatId: chat.id })}
              aria-current={chat.id === current ? 'page' : undefined}
              onClick={onNavigate}
            >
              {chat.title || texts.untitledChat}
              {snippet && <span className="chat-snippet">{snippet}</span>}
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}

interface ChatSearch {
  readonly hits: readonly ChatHit[]
  readonly done: boolean
}

/** Finds chats by title and content; results grow while thousands of messages are read. */
function useChatSearch(query: string): ChatSearch {
  const { chats, repository } = useServices()
  const [search, setSearch] = useState<ChatSearch>({ hits: [], done: false })
  useEffect(() => {
    let stopped = false
    const run = async (): Promise<void> => {
      const hits: ChatHit[] = []
      setSearch({ hits, done: false })
      for await (const more of searchChats(query, chats.get().chats.values(), repository.scanMessages())) {
        if (stopped) return
        hits.push(...more)
        setSearch({ hits: [...hits], done: false })
      }
      setSearch({ hits, done: true })
    }
    const timer = setTimeout(
      () => void run().catch(() => setSearch(({ hits }) => ({ hits, done: true }))),
      PAUSE_MS,
    )
    return () => {
      stopped = true
      clearTimeout(timer)
    }
  }, [query, chats, repository])
  return search
}
