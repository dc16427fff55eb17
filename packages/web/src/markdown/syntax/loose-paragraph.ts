import type { Extension } from 'mdast-util-from-markdown'

declare module 'micromark-util-types' {
  interface TokenTypeMap {
    looseParagraph: 'looseParagraph'
  }
}

/**
 * Text on a line after the end of a formula or a tag. It is not a paragraph of Micromark's, which a line of `---` below
 * would make a heading.
 */
export const looseParagraphTree: Extension = {
  enter: {
    looseParagraph(token) {
      this.enter({ type: 'paragraph', children: [] }, token)
    },
  },
  exit: {
    looseParagraph(token) {
      this.exit(token)
    },
  },
}
