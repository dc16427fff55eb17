import { useStore } from '../state/use-store.ts'
import { useServices } from './services.ts'

/** Ids of the chats in which an answer is being written, in this tab or another. Changes when one begins or ends, not with every word. */
export function useWritingChats(): ReadonlySet<string> {
  const { answers } = useServices()
  const ids = useStore(answers.live, (live) => [...live.values()].map(({ chatId }) => chatId).join(' '))
  return new Set(ids.split(' '))
}
