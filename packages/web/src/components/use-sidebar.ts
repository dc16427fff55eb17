import { useEffect, useRef, useState, type RefObject } from 'react'
import { useServices } from '../app/services.ts'
import { useStore } from '../store.ts'
import { SIDEBAR_CLOSE_ID } from './sidebar.tsx'
import { useNarrow } from '../ui/device.ts'

export interface SidebarState {
  /** It stands beside the page. */
  readonly open: boolean
  /** It lies over the page, which takes no focus meanwhile. */
  readonly drawerOpen: boolean
  /** What opens it. */
  readonly button: RefObject<HTMLButtonElement | null>
  /** `focus`: false where the focus goes elsewhere in it. */
  show(focus?: boolean): void
  close(): void
  toggle(): void
  /** A place was chosen in it: as a drawer it makes room. */
  leave(): void
  /** Closes the drawer; false where there is none. */
  dismiss(): boolean
}

/** The list of chats: beside the page, or on narrow screens a drawer over it, which never opens by itself. */
export function useSidebar(): SidebarState {
  const { preferences } = useServices()
  const open = useStore(preferences, (state) => state.sidebarOpen)
  const narrow = useNarrow()
  const [wanted, setWanted] = useState(false)
  const drawerOpen = narrow && wanted
  const button = useRef<HTMLButtonElement>(null)
  /** Where the focus goes once the change is drawn. */
  const next = useRef<(() => HTMLElement | null) | undefined>(undefined)
  useEffect(() => {
    next.current?.()?.focus()
    next.current = undefined
  }, [drawerOpen, open])
  // A drawer that was left open is none any more where there is room for both.
  useEffect(() => setWanted(false), [narrow])
  const show = (focus = true): void => {
    if (focus) next.current = () => document.getElementById(SIDEBAR_CLOSE_ID)
    setWanted(true)
    preferences.change({ sidebarOpen: true })
  }
  const close = (): void => {
    next.current = () => button.current
    setWanted(false)
    // On a phone this says nothing about the screen with room for both.
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
