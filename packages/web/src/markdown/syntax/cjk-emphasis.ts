import { attention } from 'micromark-core-commonmark'
import { gfmStrikethrough } from 'micromark-extension-gfm-strikethrough'
import type { Code, Construct, Extension, Token } from 'micromark-util-types'
import { characterOf, codes, isCjk, isCjkPunctuation } from './characters.ts'

/**
 * Emphasis in text without spaces: CommonMark takes `**「重要」**の` for no emphasis, since a mark of punctuation is
 * inside of the asterisks and no space outside. Beside Chinese, Japanese and Korean none is needed, and their own marks
 * count as letters.
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

/** Whether a sequence with `outer` on its outside may begin or end emphasis that has `inner` at that end. */
function flanks(outer: Code, inner: Code): boolean {
  return !/^\s*$/.test(characterOf(inner)) && (isCjkPunctuation(inner) || isCjk(outer))
}
