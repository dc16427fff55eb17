import { messageElementId } from '../element-ids.ts'

interface FarMessageProps {
  readonly id: string
  readonly name: string
  readonly text: string
}

/** A message far from the viewport: plain text only, which is cheap and which the browser's search finds. */
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
