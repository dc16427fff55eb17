import katex from 'katex'
import 'katex/dist/katex.min.css'

/** Draws a formula into an element; false where it isn't one. */
export type RenderFormula = (tex: string, target: HTMLElement, display: boolean) => boolean

/** A module of its own, with its fonts: loaded with the first formula that is shown. */
export const renderFormula: RenderFormula = (tex, target, displayMode) => {
  try {
    // Builds elements and sets their styles by script: the policy of the page allows neither markup nor style attributes.
    // `trust` keeps out links, pictures and ids; the bounds keep a hostile formula small.
    katex.render(tex, target, { displayMode, trust: false, strict: 'ignore', maxSize: 20, maxExpand: 500 })
    return true
  } catch {
    return false
  }
}
