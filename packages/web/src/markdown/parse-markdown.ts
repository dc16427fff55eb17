import type { Root } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmFromMarkdown } from 'mdast-util-gfm'
import { gfm } from 'micromark-extension-gfm'
import { cjkAutolink, cutAddresses } from './syntax/cjk-autolink.ts'
import { cjkEmphasis } from './syntax/cjk-emphasis.ts'
import { codes } from './syntax/characters.ts'
import { formulaFlow } from './syntax/formula-flow.ts'
import { formulaText } from './syntax/formula-text.ts'
import { formulaTree } from './syntax/formula-tree.ts'
import { detailsFlow, inlineTag, otherHtmlFlow } from './syntax/html-tags.ts'
import { looseParagraphTree } from './syntax/loose-paragraph.ts'
import { nestTags, tagTree } from './syntax/html-tree.ts'

const formulas = {
  flow: { [codes.dollar]: formulaFlow, [codes.backslash]: formulaFlow },
  text: { [codes.dollar]: formulaText, [codes.backslash]: formulaText },
}
const tags = {
  flow: { [codes.lessThan]: [detailsFlow, otherHtmlFlow] },
  text: { [codes.lessThan]: inlineTag },
  disable: { null: ['htmlFlow'] },
}

/** Parses CommonMark and GFM, with formulas, a few HTML tags, and extensions for text without spaces. */
export function parseMarkdown(text: string): Root {
  const root = fromMarkdown(text, {
    extensions: [gfm({ singleTilde: false }), formulas, tags, cjkEmphasis, cjkAutolink],
    mdastExtensions: [gfmFromMarkdown(), formulaTree, tagTree, looseParagraphTree],
  })
  cutAddresses(root)
  nestTags(root)
  return root
}
