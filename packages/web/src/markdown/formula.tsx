import { useEffect, useRef, useState } from 'react'
import type { RenderFormula } from './render-formula.ts'
import './formula.css'

interface FormulaProps {
  readonly tex: string
  /** The formula stands on lines of its own. */
  readonly display?: boolean
}

let loaded: RenderFormula | undefined

/** A formula in TeX. Shows the source until KaTeX is loaded, and if KaTeX can't render it. */
export function Formula({ tex, display = false }: FormulaProps) {
  const target = useRef<HTMLSpanElement>(null)
  const [shown, setShown] = useState<string>()
  useEffect(() => {
    let current = true
    const show = async (): Promise<void> => {
      loaded ??= (await import('./render-formula.ts')).renderFormula
      if (current && target.current) setShown(loaded(tex, target.current, display) ? tex : undefined)
    }
    void show()
    return () => {
      current = false
    }
  }, [tex, display])
  return (
    <span
      className={display ? 'formula formula-display' : 'formula'}
      dir="ltr"
      {...(display && { tabIndex: 0, role: 'group' })}
    >
      {shown !== tex && <code>{tex}</code>}
      <span ref={target} hidden={shown !== tex} />
    </span>
  )
}
