import { messageElementId } from '../element-ids.ts'

interface FarMessageProps {
  readonly id: string
  readonly name: string
  readonly text: string
}

/** A message far from the visible part: its words, so that the browser's search finds them, and nothing dear. */
export function FarMessage({ id, name, text }: FarMessageProps) {
  return (
    <article
      id={messageElementId(id)}
      tabIndex={-1}
      className="message message-far"
      dir="auto"
      aria-label={name}
    >
      {text}
    </article>
  )
}
