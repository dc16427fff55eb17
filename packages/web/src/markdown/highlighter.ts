import type { RootContent } from 'hast'
import { common, createLowlight } from 'lowlight'
import { createElement, type ReactNode } from 'react'

/** Highlights code as React nodes with the class names of highlight.js; undefined for an unknown language. */
export type Highlighter = (code: string, language: string) => ReactNode | undefined

const lowlight = createLowlight(common)

/** A separate module with its grammars, loaded with the first code block. */
export const highlighter: Highlighter = (code, language) => {
  const name = language.toLowerCase()
  return lowlight.registered(name) ? lowlight.highlight(name, code).children.map(toReact) : undefined
}

/** Builds elements with text children: no string ever becomes markup. */
function toReact(node: RootContent, key: number): ReactNode {
  if (node.type === 'text') return node.value
  if (node.type !== 'element') return null
  const { className } = node.properties
  return createElement(
    'span',
    { key, className: Array.isArray(className) ? className.join(' ') : undefined },
    node.children.map(toReact),
  )
}
