import type { ImportResult } from '../../app/transfer.ts'
import type { Texts } from '../../i18n/en.ts'

/** A file that was chosen, and what became of it, once that is known. */
export interface ImportNews {
  readonly file: string
  readonly result?: ImportResult
}

export function importWords(texts: Texts, { file, result }: ImportNews): string {
  if (!result) return texts.importing(file)
  switch (result.problem) {
    case undefined:
      return texts.imported(result.counts)
    case 'unreadable':
      return texts.importUnreadable(file)
    case 'not-json':
      return texts.importNotJson(file)
    case 'not-archive':
      return texts.importNotArchive(file)
    case 'too-new':
      return texts.importTooNew(file)
    case 'empty':
      return texts.importEmpty(file)
    case 'not-kept':
      return texts.importNotKept
  }
}
