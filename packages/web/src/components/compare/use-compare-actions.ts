import { pickOther } from '../../state/models-store.ts'
import { useServices } from '../../app/services.ts'
import type { Chat, Message, Side } from '../../chat/types.ts'
import type { SideStart } from '../../state/comparison.ts'

export interface CompareActions {
  /** Begins a new comparison with the same models and settings. */
  restart(): Promise<void>
  /** Turns a side into a chat of the list and opens it. */
  keep(side: Side): Promise<void>
  /** Opens a comparison of this answer with one of another model. */
  compareAnswer(message: Message): Promise<void>
}

/** The actions on a whole comparison; each can be undone. */
export function useCompareActions(): CompareActions {
  const { comparison, models, notices, router } = useServices()
  const offerUndo = (text: 'comparisonDeleted' | 'sideKept', undo: (() => void) | undefined): void => {
    if (!undo) return
    const run = (): void => {
      undo()
      router.go({ page: 'compare' })
    }
    notices.show({ text, action: { label: 'undo', run } })
  }
  return {
    async restart() {
      const [a, b] = [comparison.side('a'), comparison.side('b')]
      if (a && b) offerUndo('comparisonDeleted', await comparison.begin({ a: startOf(a), b: startOf(b) }))
      document.getElementById('message')?.focus()
    },
    async keep(side) {
      const chatId = comparison.side(side)?.id
      if (!chatId) return
      router.go({ page: 'chat', chatId })
      offerUndo('sideKept', await comparison.keep(side))
    },
    async compareAnswer(message) {
      const other = pickOther(models.get().models, message.model)
      if (!other) return
      const begun = comparison.compareAnswer(message, other.id)
      router.go({ page: 'compare' })
      offerUndo('comparisonDeleted', await begun)
    },
  }
}

function startOf({ model, settings, tools }: Chat): SideStart {
  return { model, settings, tools }
}
