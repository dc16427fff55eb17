import { type DragEvent, useRef, useState } from 'react'
import { useServices } from '../../app/services.ts'
import { exportChats, importChats, type ImportResult } from '../../app/transfer.ts'
import { isListed } from '../../chat/sides.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { Icon } from '../../ui/icon.tsx'
import { DeleteAllDialog } from './delete-all-dialog.tsx'
import type { Texts } from '../../i18n/en.ts'

/** Exports the chats, imports others, or deletes all of them. */
export function ChatTransfer({ onDeleted }: { readonly onDeleted: () => void }) {
  const services = useServices()
  const texts = useTexts()
  const hasChats = useStore(services.chats, (state) => [...state.chats.values()].some(isListed))
  const picker = useRef<HTMLInputElement>(null)
  const [news, setNews] = useState<ImportNews>()
  const [isOver, setOver] = useState(false)
  const [deleting, setDeleting] = useState(false)
  const take = async (file: File | undefined): Promise<void> => {
    if (!file) return
    setNews({ file: file.name })
    setNews({ file: file.name, result: await importChats(services, file) })
  }
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer.types.includes('Files')) return
    event.preventDefault()
    setOver(true)
  }
  const drop = (event: DragEvent): void => {
    event.preventDefault()
    setOver(false)
    void take(event.dataTransfer.files[0])
  }
  return (
    <section
      className="transfer"
      aria-label={texts.yourChats}
      data-over={isOver || undefined}
      onDragOver={over}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <h3>{texts.yourChats}</h3>
      <p className="transfer-hint">{texts.yourChatsHint}</p>
      <div className="transfer-actions">
        <Button icon="download" disabled={!hasChats} onClick={() => void exportChats(services)}>
          {texts.exportChats}
        </Button>
        <Button icon="upload" onClick={() => picker.current?.click()}>
          {texts.importChats}
        </Button>
        <Button
          className="transfer-delete"
          icon="trash"
          disabled={!hasChats}
          onClick={() => setDeleting(true)}
        >
          {texts.deleteAllChats}
        </Button>
      </div>
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        hidden
        onChange={({ target }) => {
          void take(target.files?.[0])
          target.value = ''
        }}
      />
      <p className="transfer-news" role="status" data-problem={news?.result?.problem}>
        {news?.result?.problem && <Icon name="warning" size={18} />}
        {news && importWords(texts, news)}
      </p>
      {isOver && <div className="transfer-drop">{texts.importDrop}</div>}
      {deleting && <DeleteAllDialog onClose={() => setDeleting(false)} onDeleted={onDeleted} />}
    </section>
  )
}

/** A chosen file, and the result of its import once that is known. */
interface ImportNews {
  readonly file: string
  readonly result?: ImportResult
}

function importWords(texts: Texts, { file, result }: ImportNews): string {
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
