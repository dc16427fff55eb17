import { useState } from 'react'
import { useServices } from '../../app/services.ts'
import { createId } from '../../chat/id.ts'
import {
  admitAttachments,
  pasteName,
  readAttachment,
  type AttachmentProblem,
} from '../../chat/read-attachment.ts'
import type { Attachment } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'

export interface Attachments {
  /** Why files could not be accepted. */
  readonly problems: readonly AttachmentProblem[]
  addFiles(files: Iterable<File>): void
  /** Attaches a pasted text as a file. */
  addText(text: string): void
  remove(id: string): void
  /** Replaces the attachment that has the same id. */
  change(attachment: Attachment): void
  dismissProblems(): void
}

/** The attachments of a draft. */
export function useAttachments(draftId: string): Attachments {
  const { drafts } = useServices()
  const texts = useTexts()
  const [problems, setProblems] = useState<readonly AttachmentProblem[]>([])
  const present = (): readonly Attachment[] => drafts.draft(draftId).attachments
  const add = (added: readonly Attachment[], failed: readonly AttachmentProblem[] = []): void => {
    const { admitted, problems: refused } = admitAttachments(present(), added)
    if (admitted.length > 0) drafts.change(draftId, { attachments: [...present(), ...admitted] })
    setProblems([...failed, ...refused])
  }
  const readAll = async (files: readonly File[]): Promise<void> => {
    const read = await Promise.all(files.map(readAttachment))
    add(
      read.flatMap(({ attachment }) => attachment ?? []),
      read.flatMap(({ problem }) => problem ?? []),
    )
  }
  return {
    problems,
    addFiles: (files) => void readAll([...files]),
    addText: (text) => add([{ id: createId(), name: pasteName(texts.pastedText, present()), text }]),
    remove: (id) => drafts.change(draftId, { attachments: present().filter((other) => other.id !== id) }),
    change: (changed) =>
      drafts.change(draftId, {
        attachments: present().map((other) => (other.id === changed.id ? changed : other)),
      }),
    dismissProblems: () => setProblems([]),
  }
}
