/** An answer as the reader sees it: the model's thoughts, then its text. */
export interface AnswerParts {
  readonly reasoning: string
  readonly answer: string
  /** The model is still thinking: the closing tag has not arrived. */
  readonly thinking: boolean
}

const opening = /^\s*<(think|thinking|reasoning)>/

/**
 * Splits off the leading `<think>` block of models that write their reasoning into the text. Servers that separate it
 * themselves send `reasoning_content`, which is passed as `reasoning`.
 */
export function splitReasoning(content: string, reasoning = ''): AnswerParts {
  const match = opening.exec(content)
  if (!match) return { reasoning, answer: content, thinking: reasoning !== '' && content === '' }
  const body = content.slice(match[0].length)
  const closing = `</${match[1]}>`
  const end = body.indexOf(closing)
  const thought = (end < 0 ? body : body.slice(0, end)).trim()
  const all = reasoning && thought ? `${reasoning}\n\n${thought}` : reasoning || thought
  if (end < 0) return { reasoning: all, answer: '', thinking: true }
  return { reasoning: all, answer: body.slice(end + closing.length).trimStart(), thinking: false }
}

/**
 * Prepares an answer that was cut within its thoughts for continuation: the model sees the open tag, and what follows
 * belongs to the thoughts until it closes the tag.
 */
export function reopenThoughts<
  A extends { readonly content: string; readonly reasoning?: string | undefined },
>(answer: A): A {
  if (!answer.reasoning || answer.content) return answer
  return { ...answer, content: `<think>\n${answer.reasoning}`, reasoning: '' }
}
