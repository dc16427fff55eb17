import type { ReactNode } from 'react'
import { unfold } from '../ui/reveal.ts'

interface FootnoteLinkProps {
  /** Id of the footnote, or of the reference to it. */
  readonly target: string
  readonly id: string | undefined
  readonly label: string | undefined
  readonly children: ReactNode
}

/**
 * Jumps from a reference to its footnote and back, within the message. It leaves the page's address, which is its
 * route.
 */
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
