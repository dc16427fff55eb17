import { useEffect, useState } from 'react'
import { useServices } from '../../app/services.ts'
import { searchChats, type ChatHit } from '../../chat/search-chats.ts'
import { isListed } from '../../chat/sides.ts'

/** Pause after the last keystroke before the messages are searched. */
const PAUSE_MS = 150

export interface ChatSearch {
  /** The query of these results; may lag behind the field for a moment. */
  readonly query: string
  readonly hits: readonly ChatHit[]
  readonly done: boolean
}

const nothing: ChatSearch = { query: '', hits: [], done: false }

/** Finds chats by title and content; results grow while thousands of messages are read. */
export function useChatSearch(query: string): ChatSearch {
  const { chats, repository } = useServices()
  const [search, setSearch] = useState(nothing)
  useEffect(() => {
    if (!query.trim()) {
      setSearch(nothing)
      return undefined
    }
    let stopped = false
    const run = async (): Promise<void> => {
      let hits: readonly ChatHit[] = []
      const listed = [...chats.get().chats.values()].filter(isListed)
      for await (const found of searchChats(query, listed, repository.scanMessages())) {
        if (stopped) return
        hits = found
        setSearch({ query, hits, done: false })
      }
      if (!stopped) setSearch({ query, hits, done: true })
    }
    const timer = setTimeout(
      () => void run().catch(() => setSearch(({ hits }) => ({ query, hits, done: true }))),
      PAUSE_MS,
    )
    return () => {
      stopped = true
      clearTimeout(timer)
    }
  }, [query, chats, repository])
  return search
}
