import type { ChatRepository } from './chat-repository.ts'
import { DexieRepository } from './dexie-repository.ts'
import { MemoryRepository } from './memory-repository.ts'
import { localStorageOrNone } from './stored-value.ts'
import { WriteJournal } from './write-journal.ts'

/** Opens IndexedDB; falls back to memory if the browser refuses storage (some private windows). */
export async function openRepository(window: Window): Promise<ChatRepository> {
  const journal = new WriteJournal(localStorageOrNone())
  try {
    const repository = await DexieRepository.open(undefined, journal)
    window.addEventListener('storage', ({ key, newValue }) => {
      if (WriteJournal.owns(key) && newValue !== null) void repository.repeatLeftWrites()
    })
    // A page that the reader comes back to has finished its writes.
    window.addEventListener('pageshow', () => journal.stay())
    return repository
  } catch {
    return new MemoryRepository()
  }
}
