import { attention } from 'micromark-core-commonmark'
import { gfmStrikethrough } from 'micromark-extension-gfm-strikethrough'
import type { Code, Construct, Extension, Token } from 'micromark-util-types'
import { characterOf, codes, isCjk, isCjkPunctuation } from './characters.ts'

/**
 * Emphasis in text without spaces: CommonMark sees no emphasis in `**「重要」**の`, because punctuation stands
 * inside the asterisks and no space outside. Here, Chinese, Japanese and Korean text needs no space, and its punctuation
 * counts as letters.
 */
export const cjkEmphasis: Extension = {
  text: {
    [codes.asterisk]: widened(attention),
    [codes.tilde]: widened(gfmStrikethrough({ singleTilde: false }).text![codes.tilde] as Construct),
  },
}

function widened(construct: Construct): Construct {
  return {
    ...construct,
    tokenize(effects, ok, nok) {
      const before = this.previous
      let sequence: Token | undefined
      const watched = { ...effects, exit: (type: Token['type']) => (sequence = effects.exit(type)) }
      return construct.tokenize.call(
        this,
        watched,
        (after) => {
          if (sequence) {
            sequence._open ||= flanks(before, after)
            sequence._close ||= flanks(after, before)
          }
          return ok(after)
        },
        nok,
      )
    },
  }
}

/** Reports whether a delimiter run between `outer` and `inner` may open or close emphasis around `inner`. */
function flanks(outer: Code, inner: Code): boolean {
  return !/^\s*$/.test(characterOf(inner)) && (isCjkPunctuation(inner) || isCjk(outer))
}
