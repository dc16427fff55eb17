import type { ReactNode } from 'react'
import { unfold } from '../ui/reveal.ts'

interface FootnoteLinkProps {
  /** Id of the note, or of the place that refers to it. */
  readonly target: string
  readonly id: string | undefined
  readonly label: string | undefined
  readonly children: ReactNode
}

/** Jumps inside of its message, from a reference to its note and back. The address of the page is its route, and stays. */
export function FootnoteLink({ target, id, label, children }: FootnoteLinkProps) {
  const jump = (): void => {
    const element = document.getElementById(target)
    if (!element) return
    unfold(element)
    element.scrollIntoView({ block: 'center' })
    if (element.tabIndex < 0) element.tabIndex = -1
    element.focus({ preventScroll: true })
  }
  return (
    <button type="button" className="footnote-link" id={id} aria-label={label} onClick={jump}>
      {children}
    </button>
  )
}
