import { createContext, useContext, type MouseEvent, type ReactNode } from 'react'
import { safeLink } from './link-policy.ts'

/** Asks the reader before opening a link in model text. */
export const ConfirmLinkContext = createContext<(url: URL) => void>(() => {})

/** A link in model text. An address that is neither web nor mail stays plain text. */
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
    // The context menu is the browser's own, which shows the address.
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

/** Reports whether the link's text is its address, with or without scheme: then print does not repeat the address. */
function isAddress(words: ReactNode, { href }: URL): boolean {
  const bare = (address: string): string => address.replace(/^(?:https?:\/\/|mailto:)/, '').replace(/\/$/, '')
  return typeof words === 'string' && bare(words) === bare(href)
}
