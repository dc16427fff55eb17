import { useEffect, useState, type ReactNode } from 'react'
import { useTexts } from '../../i18n/texts.ts'

/** Longer than it takes to ask for an answer, or to find the stream of one again after a reload. */
const PATIENCE_MS = 2000

interface DueFooterProps {
  /** Something of it is there. */
  readonly begun: boolean
  /** What can be done with an answer that another tab writes, and says nothing of. */
  readonly children: ReactNode
}

/** Below an answer that is being written, of which this tab has heard nothing yet. */
export function DueFooter({ begun, children }: DueFooterProps) {
  const texts = useTexts()
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE_MS)
    return () => clearTimeout(timer)
  }, [])
  if (begun && late) return children
  return (
    <div className="answer-live">
      <span className="answer-pulse" aria-hidden="true" />
      {!begun && <span>{texts.waiting}</span>}
    </div>
  )
}
