import type { ChatRepository } from './chat-repository.ts'
import { DexieRepository } from './dexie-repository.ts'
import { MemoryRepository } from './memory-repository.ts'

/** IndexedDB, or memory where the browser refuses storage (some private windows). */
export async function openRepository(): Promise<ChatRepository> {
  try {
    return await DexieRepository.open()
  } catch {
    return new MemoryRepository()
  }
}
