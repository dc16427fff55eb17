interface FarMessageProps {
  readonly name: string
  readonly text: string
}

/** A message far from the visible part: its words, so that the browser's search finds them, and nothing dear. */
export function FarMessage({ name, text }: FarMessageProps) {
  return (
    <article className="message message-far" aria-label={name}>
      {text}
    </article>
  )
}
