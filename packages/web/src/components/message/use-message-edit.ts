import { useServices } from '../../app/services.ts'
import { editDraftId } from '../../chat/draft-ids.ts'
import type { Attachment, Draft, Message } from '../../chat/types.ts'
import { useStore } from '../../store.ts'

export interface MessageEdit {
  /** Whether the editor is open, here or in another tab. */
  readonly open: boolean
  readonly text: string
  readonly attachments: readonly Attachment[]
  /** Opens the editor with its earlier draft, else with the message. */
  begin(): void
  change(changes: Pick<Partial<Draft>, 'text' | 'attachments'>): void
  /** Closes the editor and keeps the draft. */
  fold(): void
  /** Closes the editor and drops the draft. */
  discard(): void
  /** Reports once whether this reader has just opened the editor. */
  takeFocus(): boolean
}

/** Ids of the drafts whose editor takes the focus when it appears. */
const begun = new Set<string>()

/** The edit of a message: a separate draft, which outlives the component and the tab. */
export function useMessageEdit({ id, chatId, content, attachments = [] }: Message): MessageEdit {
  const { drafts } = useServices()
  const draftId = editDraftId(id)
  const draft = useStore(drafts, (all) => all.get(draftId))
  return {
    open: draft?.open === true,
    text: draft?.text ?? content,
    attachments: draft?.attachments ?? attachments,
    begin() {
      begun.add(draftId)
      drafts.change(draftId, { text: content, attachments, ...drafts.get().get(draftId), chatId, open: true })
    },
    change: (changes) => drafts.change(draftId, changes),
    fold() {
      const { text, attachments: files } = drafts.draft(draftId)
      const isOther = (file: Attachment, index: number): boolean => file.text !== attachments[index]?.text
      const isChanged = text !== content || files.length !== attachments.length || files.some(isOther)
      if (isChanged) drafts.change(draftId, { open: false })
      else drafts.clear(draftId)
    },
    discard: () => drafts.clear(draftId),
    takeFocus: () => begun.delete(draftId),
  }
}
