import { useEffect, useRef, type KeyboardEvent, type RefObject } from 'react'
import { formatRoute } from '../../app/router.ts'
import { useServices } from '../../app/services.ts'
import type { ChatHit } from '../../chat/search-chats.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { IconButton } from '../../ui/button.tsx'
import { Icon } from '../../ui/icon.tsx'
import { pressedKey } from '../../ui/pressed-key.ts'
import { shortcutHint } from '../shortcuts/key-words.ts'
import { focusFirstIn } from './move-in-list.ts'
import type { ChatSearch } from './use-chat-search.ts'

interface ChatSearchFieldProps {
  readonly query: string
  readonly search: ChatSearch
  readonly onChange: (query: string) => void
  /** The list below the field: chats or search results. */
  readonly list: RefObject<HTMLElement | null>
}

/** The search field. ↓ moves to the results, and Enter opens the first. */
export function ChatSearchField({ query, search, onChange, list }: ChatSearchFieldProps) {
  const texts = useTexts()
  const opensFirst = useOpenFirst(query, search, list)
  const onKeyDown = (event: KeyboardEvent): void => {
    const key = pressedKey(event)
    if (key === 'Escape' && query) onChange('')
    else if (key === 'Enter' && query.trim()) opensFirst()
    else if (key !== 'ArrowDown' || !focusFirstIn(list.current)) return
    event.preventDefault()
  }
  return (
    <div className="chat-search" role="search">
      <Icon name="search" size={17} />
      <input
        id="chat-search"
        type="text"
        inputMode="search"
        enterKeyHint="search"
        dir="auto"
        aria-label={texts.searchChats}
        placeholder={texts.searchChats}
        title={shortcutHint('search', texts)}
        value={query}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {query && (
        <IconButton size="small" icon="close" label={texts.clearSearch} onClick={() => onChange('')} />
      )}
    </div>
  )
}

/** Opens the first result of the query: immediately, or when it is found. */
function useOpenFirst(query: string, search: ChatSearch, list: RefObject<HTMLElement | null>): () => void {
  const wanted = useRef<string>(undefined)
  const openIfFound = (): void => {
    if (wanted.current === undefined || wanted.current !== search.query || !search.done) return
    wanted.current = undefined
    list.current?.querySelector<HTMLElement>('a.chat-link')?.click()
  }
  useEffect(openIfFound, [search])
  useEffect(() => {
    if (wanted.current !== query) wanted.current = undefined
  }, [query])
  return () => {
    wanted.current = query
    openIfFound()
  }
}

interface ChatSearchResultsProps {
  readonly search: ChatSearch
  readonly onNavigate: () => void
}

export function ChatSearchResults({ search, onNavigate }: ChatSearchResultsProps) {
  const { chats, router } = useServices()
  const texts = useTexts()
  const byId = useStore(chats, (state) => state.chats)
  const current = useStore(router, (route) => (route.page === 'chat' ? route.chatId : undefined))
  const found = search.hits.flatMap((hit) => byId.get(hit.chatId) ?? [])
  const places = new Map(search.hits.map((hit) => [hit.chatId, hit]))
  return (
    <section aria-label={texts.searchResults}>
      <p className="chat-group" role="status">
        {search.done ? texts.searchFound(found.length) : texts.searching}
      </p>
      <ul>
        {found.map(({ id, title }) => (
          <li key={id} className="chat-item">
            <a
              className="chat-link"
              dir="auto"
              href={addressOf(places.get(id)!, search.query)}
              aria-current={id === current ? 'page' : undefined}
              onClick={onNavigate}
            >
              {title || texts.untitledChat}
              <Snippet hit={places.get(id)!} />
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Snippet({ hit: { snippet } }: { readonly hit: ChatHit }) {
  return snippet ? (
    <span className="chat-snippet" dir="auto">
      {snippet}
    </span>
  ) : null
}

/** Returns the address of the match in the chat, or of the chat if only its title matches. */
function addressOf({ chatId, messageId }: ChatHit, query: string): string {
  const found = messageId === undefined ? undefined : { words: query.trim(), messageId }
  return formatRoute({ page: 'chat', chatId, found })
}
