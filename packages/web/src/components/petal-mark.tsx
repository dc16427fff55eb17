/** The mark: five petals around one heart, as servers around one answer. */
export function PetalMark({ size = 28 }: { readonly size?: number }) {
  return (
    <svg
      className="petal-mark"
      width={size}
      height={size}
      viewBox="0 0 64 64"
      aria-hidden="true"
      focusable="false"
    >
      {[0, 72, 144, 216, 288].map((angle) => (
        <path key={angle} d="M32 30C22 22 24 8 32 3c8 5 10 19 0 27Z" transform={`rotate(${angle} 32 33)`} />
      ))}
      <circle cx="32" cy="33" r="4.5" />
    </svg>
  )
}
