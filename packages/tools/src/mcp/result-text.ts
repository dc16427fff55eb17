import type { CallToolResult } from '@modelcontextprotocol/client'
import type { RawResult } from '../tool-server.ts'

type Block = CallToolResult['content'][number]

/** A result as a text, which is all that models here read. What is no text is named instead. */
export function resultText({ content, structuredContent, isError = false }: CallToolResult): RawResult {
  const texts = content.map(blockText)
  if (texts.length === 0 && structuredContent !== undefined) texts.push(JSON.stringify(structuredContent))
  return { text: texts.join('\n\n'), isError }
}

function blockText(block: Block): string {
  switch (block.type) {
    case 'text':
      return block.text
    case 'image':
    case 'audio':
      return `[${block.type} of type ${block.mimeType}, which can’t be shown here]`
    case 'resource_link':
      return `[${block.title ?? block.name}](${block.uri})${block.description === undefined ? '' : `: ${block.description}`}`
    case 'resource':
      return 'text' in block.resource
        ? block.resource.text
        : `[file ${block.resource.uri}, which can’t be shown here]`
    default:
      return '[a part of an unknown kind]'
  }
}
