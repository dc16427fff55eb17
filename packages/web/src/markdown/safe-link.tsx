import { createContext, useContext, type MouseEvent, type ReactNode } from 'react'
import { safeLink } from './link-policy.ts'

/** Asks the reader before a link of model text is followed. */
export const ConfirmLinkContext = createContext<(url: URL) => void>(() => {})

/** A link of model text. An address with another scheme than web or mail is plain text. */
export function SafeLink({
  href,
  children,
}: {
  readonly href: string | undefined
  readonly children: ReactNode
}) {
  const confirmLink = useContext(ConfirmLinkContext)
  const url = safeLink(href)
  if (!url) return <span>{children}</span>
  const ask = (event: MouseEvent): void => {
    // The right button's menu is the browser's own: it shows the address itself.
    if (event.button === 2) return
    event.preventDefault()
    confirmLink(url)
  }
  return (
    <a
      className={isAddress(children, url) ? 'address-link' : undefined}
      href={url.href}
      rel="noopener noreferrer nofollow"
      target="_blank"
      draggable={false}
      onClick={ask}
      onAuxClick={ask}
    >
      {children}
    </a>
  )
}

/** Words that are the address already, with its scheme or without: on paper it need not follow them. */
function isAddress(words: ReactNode, { href }: URL): boolean {
  const bare = (address: string): string => address.replace(/^(?:https?:\/\/|mailto:)/, '').replace(/\/$/, '')
  return typeof words === 'string' && bare(words) === bare(href)
}
