import { useEffect, useId, useRef, type ReactNode } from 'react'
import { useTexts } from '../i18n/texts.ts'
import { IconButton } from './button.tsx'
import './modal.css'

interface ModalProps {
  readonly title: string
  readonly onClose: () => void
  readonly size?: 'small' | 'wide'
  /** False where a click beside it would lose what was entered. */
  readonly closesOnBackdrop?: boolean
  readonly children: ReactNode
}

/** A dialog over the page. The browser keeps the focus inside, closes it on Escape and gives the focus back. */
export function Modal({ title, onClose, size = 'small', closesOnBackdrop = true, children }: ModalProps) {
  const texts = useTexts()
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const element = dialog.current
    const before = document.activeElement
    element?.showModal()
    return () => {
      element?.close()
      // What had it may be gone: a deleted chat's menu.
      const isThere = before instanceof HTMLElement && before.isConnected && before !== document.body
      const next = isThere ? before : document.querySelector('main')
      next?.focus({ preventScroll: true })
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      className={`modal modal-${size}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        // Dialogs and file choosers inside are cancelled by themselves.
        if (event.target !== event.currentTarget) return
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => {
        if (closesOnBackdrop && event.target === event.currentTarget) onClose()
      }}
    >
      <div className="modal-body">
        <div className="modal-head">
          <h2 id={titleId} dir="auto">
            {title}
          </h2>
          <IconButton icon="close" label={texts.closeDialog} onClick={onClose} />
        </div>
        {children}
      </div>
    </dialog>
  )
}
