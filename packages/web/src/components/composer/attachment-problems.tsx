import {
  MAX_FILE_BYTES,
  MAX_FILES,
  MAX_TOTAL_BYTES,
  type AttachmentProblem,
} from '../../chat/read-attachment.ts'
import type { Texts } from '../../i18n/en.ts'
import { formatBytes } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { IconButton } from '../../ui/button.tsx'

interface AttachmentProblemsProps {
  readonly problems: readonly AttachmentProblem[]
  readonly onDismiss: () => void
}

/** Explains why files were not accepted. */
export function AttachmentProblems({ problems, onDismiss }: AttachmentProblemsProps) {
  const texts = useTexts()
  return (
    <div role="alert">
      {problems.length > 0 && (
        <div className="composer-note composer-problem">
          <div>
            {problems.map((problem, index) => (
              <p key={index}>{words(texts, problem)}</p>
            ))}
          </div>
          <IconButton size="small" icon="close" label={texts.dismiss} onClick={onDismiss} />
        </div>
      )}
    </div>
  )
}

function words(texts: Texts, { kind, name }: AttachmentProblem): string {
  switch (kind) {
    case 'too-large':
      return texts.fileTooLarge(name, formatBytes(MAX_FILE_BYTES))
    case 'all-too-large':
      return texts.filesTooLarge(name, formatBytes(MAX_TOTAL_BYTES))
    case 'too-many':
      return texts.tooManyFiles(name, MAX_FILES)
    case 'not-text':
      return texts.fileNotText(name)
    case 'empty':
      return texts.fileEmpty(name)
    case 'unreadable':
      return texts.fileUnreadable(name)
  }
}
