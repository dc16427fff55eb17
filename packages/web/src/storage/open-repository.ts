import type { ChatRepository } from './chat-repository.ts'
import { DexieRepository } from './dexie-repository.ts'
import { MemoryRepository } from './memory-repository.ts'

/** Opens IndexedDB; falls back to memory if the browser refuses storage (some private windows). */
export async function openRepository(): Promise<ChatRepository> {
  try {
    return await DexieRepository.open()
  } catch {
    return new MemoryRepository()
  }
}
