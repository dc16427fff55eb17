import type { RootContent } from 'hast'
import { common, createLowlight } from 'lowlight'
import { createElement, type ReactNode } from 'react'

/** Code as React nodes with the class names of highlight.js; undefined for a language it doesn't know. */
export type Highlighter = (code: string, language: string) => ReactNode | undefined

const lowlight = createLowlight(common)

/** A module of its own, with its grammars: loaded with the first code that is shown. */
export const highlighter: Highlighter = (code, language) => {
  const name = language.toLowerCase()
  return lowlight.registered(name) ? lowlight.highlight(name, code).children.map(toReact) : undefined
}

/** Elements of text only: no markup is ever made from a string. */
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
