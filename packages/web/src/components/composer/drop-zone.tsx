import { useRef, useState, type DragEvent, type ReactNode } from 'react'
import { useTexts } from '../../i18n/texts.ts'
import { Icon } from '../../ui/icon.tsx'
import './drop-zone.css'

interface DropZoneProps {
  readonly onFiles: (files: FileList) => void
  readonly children: ReactNode
}

/** Accepts files that are dragged onto the chat. */
export function DropZone({ onFiles, children }: DropZoneProps) {
  const texts = useTexts()
  const [over, setOver] = useState(false)
  // The events of all descendants bubble: count them.
  const depth = useRef(0)
  const enter = (event: DragEvent, change: number): void => {
    if (!hasFiles(event)) return
    event.preventDefault()
    depth.current = Math.max(0, depth.current + change)
    setOver(depth.current > 0)
  }
  const drop = (event: DragEvent): void => {
    if (!hasFiles(event)) return
    event.preventDefault()
    depth.current = 0
    setOver(false)
    onFiles(event.dataTransfer.files)
  }
  return (
    <main
      className="chat-page"
      tabIndex={-1}
      onDragEnter={(event) => enter(event, 1)}
      onDragLeave={(event) => enter(event, -1)}
      onDragOver={(event) => hasFiles(event) && event.preventDefault()}
      onDrop={drop}
    >
      {children}
      {over && (
        <div className="drop-here">
          <Icon name="attach" size={28} />
          {texts.dropHere}
        </div>
      )}
    </main>
  )
}

function hasFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer.types.includes('Files')
}
