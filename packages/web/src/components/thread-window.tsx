import {
  createContext,
  type CSSProperties,
  type ReactNode,
  type RefObject,
  startTransition,
  useContext,
  useEffect,
  useRef,
  useState,
} from 'react'
import { useServices } from '../app/services.ts'
import { useStore } from '../store.ts'

/** What is so near to the visible part, in pixels above and below, is ready before it is scrolled to. */
const NEAR = 1200

/** Tells elements whether they are near the visible part of a thread: one observer for all of them. */
class ThreadWindow {
  readonly #listeners = new Map<Element, (near: boolean) => void>()
  readonly #observer: IntersectionObserver

  constructor(root: Element) {
    this.#observer = new IntersectionObserver((entries) => this.#tell(entries), {
      root,
      rootMargin: `${NEAR}px 0px`,
    })
  }

  observe(element: Element, listener: (near: boolean) => void): () => void {
    this.#listeners.set(element, listener)
    this.#observer.observe(element)
    return () => {
      this.#listeners.delete(element)
      this.#observer.unobserve(element)
    }
  }

  #tell(entries: readonly IntersectionObserverEntry[]): void {
    // A transition: messages are made ready one by one, and scrolling never waits for them.
    startTransition(() => {
      for (const { target, isIntersecting } of entries) this.#listeners.get(target)?.(isIntersecting)
    })
  }
}

export const ThreadWindowContext = createContext<ThreadWindow | undefined>(undefined)

export function useThreadWindow(scroller: RefObject<HTMLElement | null>): ThreadWindow | undefined {
  const [threadWindow, setThreadWindow] = useState<ThreadWindow>()
  useEffect(() => {
    if (scroller.current) setThreadWindow(new ThreadWindow(scroller.current))
  }, [scroller])
  return threadWindow
}

interface WindowedProps {
  /** Ready from the start, wherever it is. */
  readonly always: boolean
  /** By it, the height is estimated until it is shown for the first time. */
  readonly text: string
  /** `near`: close to the visible part, or in it. */
  readonly children: (near: boolean) => ReactNode
}

/**
 * A part of a thread that costs little while it is far away: a chat of 400 messages scrolls and streams like one of
 * four. The browser remembers the height that it had.
 */
export function Windowed({ always, text, children }: WindowedProps) {
  const threadWindow = useContext(ThreadWindowContext)
  const element = useRef<HTMLDivElement>(null)
  const { printing } = useServices()
  const isPrinting = useStore(printing)
  const [near, setNear] = useState(always)
  useEffect(() => {
    return element.current ? threadWindow?.observe(element.current, setNear) : undefined
  }, [threadWindow])
  // Once: what grows is in sight, and has its real height.
  const [style] = useState<CSSProperties>(() => ({
    containIntrinsicBlockSize: `auto ${estimateHeight(text)}px`,
  }))
  return (
    <div ref={element} className="windowed" style={style}>
      {children(near || always || isPrinting)}
    </div>
  )
}

/** Characters in a line of the column, and pixels of a line, of the space between paragraphs, and around a message. */
const LINE_LENGTH = 80
const LINE_HEIGHT = 25
const PARAGRAPH_GAP = 12
const FRAME = 64

/** About how high a text will be in the column, in pixels: so that the scroll bar doesn't jump when it is shown. */
function estimateHeight(text: string): number {
  let height = FRAME
  for (const line of text.split('\n'))
    height += line === '' ? PARAGRAPH_GAP : LINE_HEIGHT * Math.ceil(line.length / LINE_LENGTH)
  return height
}
