import type { Link, Nodes, Text } from 'mdast'
import type { Code, Construct, Effects, Extension, State, TokenizeContext } from 'micromark-util-types'
import { characterOf, codes, endsAddress, isCjkLetter, isLineEnd, isSpace } from './characters.ts'

declare module 'micromark-util-types' {
  interface TokenTypeMap {
    literalAutolink: 'literalAutolink'
    literalAutolinkHttp: 'literalAutolinkHttp'
    literalAutolinkWww: 'literalAutolinkWww'
  }
}

/**
 * Autolinks in text without spaces: GFM reads `https://example.com。谢谢` to its end, which is another host. Here, the
 * marks of such text end an address, and so does one of its letters right after a Latin host. GFM handles all other
 * addresses.
 */
export const cjkAutolink: Extension = {
  text: { 72: literal(), 104: literal(), 87: literal(), 119: literal() },
}

function literal(): Construct {
  return { name: 'cjkAutolink', tokenize: tokenizeAddress }
}

const scheme = /^(?:https?:\/\/|www\.)$/i
const trailing = /[!"'*),.:;?_~\]]/

function tokenizeAddress(this: TokenizeContext, effects: Effects, ok: State, nok: State): State {
  const { previous } = this
  let text = ''
  let type: 'literalAutolinkWww' | 'literalAutolinkHttp' = 'literalAutolinkHttp'
  let inHost = true
  let openParentheses = 0
  return begin

  function begin(code: Code): State | undefined {
    const isWww = code === 87 || code === 119
    if (/[\p{Script=Latin}\p{N}]/u.test(characterOf(previous)) || (isWww && previous === codes.slash))
      return nok(code)
    if (isWww) type = 'literalAutolinkWww'
    effects.enter('literalAutolink')
    effects.enter(type)
    return start(code)
  }

  function start(code: Code): State | undefined {
    if (isLineEnd(code) || text.length > 8) return nok(code)
    effects.consume(code)
    text += characterOf(code)
    if (!scheme.test(text)) return start
    text = ''
    return address
  }

  function address(code: Code): State | undefined {
    if (isEnd(code)) return text === '' ? nok(code) : finish(code)
    // GFM finds the end of this address.
    if (isLineEnd(code) || isSpace(code) || code === codes.lessThan) return nok(code)
    if (code === 41 && openParentheses > 0) openParentheses--
    else if (trailing.test(characterOf(code))) return effects.check(trail, finish, consume)(code)
    return consume(code)
  }

  function consume(code: Code): State | undefined {
    const character = characterOf(code)
    if (/[/?#]/.test(character)) inHost = false
    if (character === '(') openParentheses++
    effects.consume(code)
    text += character
    return address
  }

  /** Ends `https://example.com查看` before the CJK letters: no host mixes both scripts. */
  function isEnd(code: Code): boolean {
    return endsAddress(code) || (inHost && isCjkLetter(code) && /\.[a-z]{2,}(?::\d+)?$/i.test(text))
  }

  function finish(code: Code): State | undefined {
    if (text === '') return nok(code)
    effects.exit(type)
    effects.exit('literalAutolink')
    return ok(code)
  }
}

/** Marks after an address that belong to the sentence, up to one that ends it. */
const trail: Construct = {
  partial: true,
  tokenize(effects, ok, nok) {
    return function next(code): State | undefined {
      if (endsAddress(code)) return ok(code)
      if (!trailing.test(characterOf(code))) return nok(code)
      effects.enter('data')
      effects.consume(code)
      effects.exit('data')
      return next
    }
  },
}

/** Cuts addresses that GFM finds in a later pass, in text that its tokenizer skipped, such as after an open bracket. */
export function cutAddresses(node: Nodes): void {
  if (!('children' in node)) return
  node.children.forEach(cutAddresses)
  if (!node.children.some((child) => cutAt(child) >= 0)) return
  ;(node as { children: Nodes[] }).children = (node.children as Nodes[]).flatMap((child) => {
    const index = cutAt(child)
    return index < 0 ? [child] : cut(child as Link, index)
  })
}

function cutAt(node: Nodes): number {
  if (node.type !== 'link' || node.position !== undefined) return -1
  const [words] = node.children
  if (words?.type !== 'text' || !node.url.endsWith(words.value)) return -1
  return [...words.value].findIndex((_, index) => endsAddress(words.value.charCodeAt(index)))
}

function cut(link: Link, index: number): Nodes[] {
  const { value } = link.children[0] as Text
  const rest = value.slice(index)
  const url = link.url.slice(0, link.url.length - rest.length)
  return [
    { ...link, url, children: [{ type: 'text', value: value.slice(0, index) }] },
    { type: 'text', value: rest },
  ]
}
