import { htmlFlow } from 'micromark-core-commonmark'
import type { Code, Construct, Effects, State, TokenizeContext } from 'micromark-util-types'
import { characterOf, isLineEnd, isSpace } from './characters.ts'

/** The inline HTML tags that are rendered. Any other tag, and any with attributes, stays text. */
const inlineTags = ['br', 'sub', 'sup', 'kbd', 'mark', 'u', 'ins', 'del'] as const
export type InlineTagName = (typeof inlineTags)[number]

const inline = new RegExp(`^<(?:/?(?:${inlineTags.join('|')})|br ?/)>$`, 'i')
const block = /^<(?:\/?(?:details|summary)|details open)>$/i
const MAX_LENGTH = '<details open>'.length

/** Consumes a tag that matches `pattern` as one token. */
function tag(type: 'inlineTag' | 'blockTag', pattern: RegExp): Construct {
  return {
    name: type,
    tokenize(effects, ok, nok) {
      let text = ''
      return (code) => {
        effects.enter(type)
        return next(code)
      }
      function next(code: Code): State | undefined {
        if (isLineEnd(code) || text.length >= MAX_LENGTH) return nok(code)
        effects.consume(code)
        text += characterOf(code)
        if (!text.endsWith('>')) return next
        if (!pattern.test(text)) return nok
        effects.exit(type)
        return ok
      }
    },
  }
}

export const inlineTag = tag('inlineTag', inline)
const blockTag: Construct = { ...tag('blockTag', block), partial: true }

/** Lines that begin with a tag of `<details>`: each tag is a node, and the text between two tags is a paragraph. */
export const detailsFlow: Construct = {
  name: 'detailsFlow',
  tokenize(effects, ok, nok) {
    return tokenizeDetails(this, effects, ok, nok)
  },
}

function tokenizeDetails(context: TokenizeContext, effects: Effects, ok: State, nok: State): State {
  return (code) => effects.attempt(blockTag, (next) => (context.interrupt ? ok(next) : more(next)), nok)(code)

  function more(code: Code): State | undefined {
    if (isLineEnd(code)) return ok(code)
    if (isSpace(code)) {
      effects.enter('whitespace')
      return spaces(code)
    }
    return effects.attempt(blockTag, more, words)(code)
  }

  function spaces(code: Code): State | undefined {
    if (isSpace(code)) {
      effects.consume(code)
      return spaces
    }
    effects.exit('whitespace')
    return more(code)
  }

  function words(code: Code): State | undefined {
    effects.enter('looseParagraph')
    effects.enter('chunkText', { contentType: 'text' })
    effects.consume(code)
    return inside
  }

  function inside(code: Code): State | undefined {
    if (isLineEnd(code)) return end(code)
    return code === 60 ? effects.check(blockTag, end, word)(code) : word(code)
  }

  function word(code: Code): State | undefined {
    effects.consume(code)
    return inside
  }

  function end(code: Code): State | undefined {
    effects.exit('chunkText')
    effects.exit('looseParagraph')
    return more(code)
  }
}

/** Block-level HTML, which stays text, unless it begins with a rendered tag, such as `<br>` alone on a line. */
export const otherHtmlFlow: Construct = {
  ...htmlFlow,
  name: 'otherHtmlFlow',
  tokenize(effects, ok, nok) {
    const flow = { ...htmlFlow, name: undefined }
    return effects.check({ ...inlineTag, partial: true }, nok, effects.attempt(flow, ok, nok))
  },
}
