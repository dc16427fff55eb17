import { useEffect, useId, useRef, type ReactNode } from 'react'
import { useTexts } from '../i18n/texts.ts'
import { IconButton } from './button.tsx'
import './modal.css'

interface ModalProps {
  readonly title: string
  readonly onClose: () => void
  readonly size?: 'small' | 'wide'
  /** False if a click on the backdrop would lose input. */
  readonly closesOnBackdrop?: boolean
  readonly children: ReactNode
}

/** A dialog over the page. The browser keeps the focus inside and closes it on Escape; the focus returns afterwards. */
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
      // The element that had the focus may be gone, such as the menu of a deleted chat.
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
        // Nested dialogs and file choosers handle their own cancelling.
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
