/** Line icons on a grid of 24, drawn for this page. They are decoration: the button has the accessible name. */
const paths = {
  plus: 'M12 5v14M5 12h14',
  menu: 'M4 7h16M4 12h16M4 17h10',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M8 8h8v8H8z',
  chevron: 'M7 10l5 5 5-5',
  up: 'M7 14l5-5 5 5',
  left: 'M14 7l-5 5 5 5',
  right: 'M10 7l5 5-5 5',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  copy: 'M9 9h10v11H9zM15 9V5H5v11h4',
  retry: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
  forward: 'M5 6l6 6-6 6M13 6l6 6-6 6',
  pencil: 'M5 19l1-4L16 5l3 3L9 18zM14 7l3 3',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
  pin: 'M9 4h6l-1 6 3 3H7l3-3zM12 13v7',
  search: 'M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15.5 15.5L20 20',
  more: 'M5.5 12a.5.5 0 1 0 1 0a.5.5 0 1 0-1 0M11.5 12a.5.5 0 1 0 1 0a.5.5 0 1 0-1 0M17.5 12a.5.5 0 1 0 1 0a.5.5 0 1 0-1 0',
  close: 'M6 6l12 12M18 6L6 18',
  down: 'M12 5v14M6 13l6 6 6-6',
  external: 'M10 5H5v14h14v-5M14 5h5v5M19 5l-8 8',
  sliders: 'M4 8h8M16 8h4M4 16h4M12 16h8M14 6v4M10 14v4',
  gear: 'M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM19.4 13.5l1.6 1.2-1.8 3.1-1.9-.7a7 7 0 0 1-2.6 1.5l-.3 2h-3.6l-.3-2a7 7 0 0 1-2.6-1.5l-1.9.7-1.8-3.1 1.6-1.2a7 7 0 0 1 0-3l-1.6-1.2 1.8-3.1 1.9.7a7 7 0 0 1 2.6-1.5l.3-2h3.6l.3 2a7 7 0 0 1 2.6 1.5l1.9-.7 1.8 3.1-1.6 1.2a7 7 0 0 1 0 3z',
  keyboard: 'M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8',
  sun: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6L7 7M17 17l1.4 1.4M18.4 5.6L17 7M7 17l-1.4 1.4',
  attach: 'M19 11l-7.5 7.5a4.5 4.5 0 0 1-6.4-6.4L13 4.3a3 3 0 0 1 4.2 4.2l-7.7 7.8a1.5 1.5 0 0 1-2.1-2.1l7-7',
  file: 'M7 4h7l4 4v12H7zM14 4v4h4',
  compare: 'M4 5h7v14H4zM13 5h7v14h-7z',
  network:
    'M12 4a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM6 16a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM18 16a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM11 8l-4 8M13 8l4 8M8 18h8',
  upload: 'M12 16V5M7 10l5-5 5 5M5 19h14',
  download: 'M12 5v11M7 11l5 5 5-5M5 19h14',
  warning: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  info: 'M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 11v5M12 8h.01',
  user: 'M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM5 20a7 7 0 0 1 14 0',
  tool: 'M19.5 7.500l-3.5 1-1-1 1-3.5a5 5 0 0 0-6.5 6.5L4 16v4h4l5.5-5.5a5 5 0 0 0 6-7z',
  bulb: 'M9 18h6M10 21h4M8 14a6 6 0 1 1 8 0c-.7.6-1 1.300-1 2H9c0-.7-.3-1.400-1-2z',
} as const

export type IconName = keyof typeof paths

export function Icon({ name, size = 20 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  )
}

/** The logo: five petals around one heart, like servers around one answer. */
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
