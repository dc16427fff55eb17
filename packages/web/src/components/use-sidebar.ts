import { useEffect, useRef, useState, type RefObject } from 'react'
import { useServices } from '../app/services.ts'
import { useStore } from '../store.ts'
import { SIDEBAR_CLOSE_ID } from './sidebar.tsx'
import { useNarrow } from '../ui/device.ts'

export interface SidebarState {
  /** The sidebar stands beside the page. */
  readonly open: boolean
  /** The sidebar is a drawer over the page, which takes no focus meanwhile. */
  readonly drawerOpen: boolean
  /** The button that opens the sidebar. */
  readonly button: RefObject<HTMLButtonElement | null>
  /** `focus`: false if the caller focuses an element of the sidebar. */
  show(focus?: boolean): void
  close(): void
  toggle(): void
  /** The reader chose a chat or a page: closes the drawer. */
  leave(): void
  /** Closes the drawer. Returns false if there is none. */
  dismiss(): boolean
}

/** The state of the sidebar: beside the page, or on narrow screens a drawer over it, which never opens unasked. */
export function useSidebar(): SidebarState {
  const { preferences } = useServices()
  const open = useStore(preferences, (state) => state.sidebarOpen)
  const narrow = useNarrow()
  const [wanted, setWanted] = useState(false)
  const drawerOpen = narrow && wanted
  const button = useRef<HTMLButtonElement>(null)
  /** Returns the element that takes the focus once the change is rendered. */
  const next = useRef<(() => HTMLElement | null) | undefined>(undefined)
  useEffect(() => {
    next.current?.()?.focus()
    next.current = undefined
  }, [drawerOpen, open])
  // An open drawer becomes a column when there is room for both.
  useEffect(() => setWanted(false), [narrow])
  const show = (focus = true): void => {
    if (focus) next.current = () => document.getElementById(SIDEBAR_CLOSE_ID)
    setWanted(true)
    preferences.change({ sidebarOpen: true })
  }
  const close = (): void => {
    next.current = () => button.current
    setWanted(false)
    // The choice on a narrow screen does not apply to a wide one.
    if (!narrow) preferences.change({ sidebarOpen: false })
  }
  return {
    open,
    drawerOpen,
    button,
    show,
    close,
    toggle: () => ((narrow ? drawerOpen : open) ? close() : show()),
    leave() {
      if (!drawerOpen) return
      next.current = () => document.querySelector<HTMLElement>('main')
      setWanted(false)
    },
    dismiss() {
      if (drawerOpen) close()
      return drawerOpen
    },
  }
}
