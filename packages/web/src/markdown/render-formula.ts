import katex from 'katex'
import 'katex/dist/katex.min.css'

/** Renders a formula into an element. Returns false if the TeX is invalid. */
export type RenderFormula = (tex: string, target: HTMLElement, display: boolean) => boolean

/** A separate module with its fonts, loaded with the first formula. */
export const renderFormula: RenderFormula = (tex, target, displayMode) => {
  try {
    // Builds elements and sets their styles by script: the page's content security policy allows neither markup nor
    // style attributes.
    // `trust: false` excludes links, images and ids; the limits keep a hostile formula small.
    katex.render(tex, target, { displayMode, trust: false, strict: 'ignore', maxSize: 20, maxExpand: 500 })
    return true
  } catch {
    return false
  }
}
