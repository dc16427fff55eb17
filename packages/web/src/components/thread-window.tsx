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

/** Messages within this distance of the viewport, in pixels, are rendered before the reader scrolls to them. */
const NEAR = 1200

/** Notifies elements when they come near the viewport of a thread or leave it, with one observer for all. */
class ThreadWindow {
  readonly #listeners = new Map<Element, (near: boolean) => void>()
  readonly #observer: IntersectionObserver

  constructor(root: Element) {
    this.#observer = new IntersectionObserver((entries) => this.#notify(entries), {
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

  #notify(entries: readonly IntersectionObserverEntry[]): void {
    // A transition: messages are rendered one by one, and scrolling never waits for them.
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
  /** Whether to render the part from the start, wherever it is. */
  readonly always: boolean
  /** The text by which the height is estimated until the first rendering. */
  readonly text: string
  /** `near`: close to the viewport, or in it. */
  readonly children: (near: boolean) => ReactNode
}

/**
 * A part of a thread that costs little while it is far from the viewport: a chat of 400 messages scrolls and streams
 * like one of four. The browser remembers its last height.
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
  // Estimated once: a growing part is visible and has its real height.
  const [style] = useState<CSSProperties>(() => ({
    containIntrinsicBlockSize: `auto ${estimateHeight(text)}px`,
  }))
  return (
    <div ref={element} className="windowed" style={style}>
      {children(near || always || isPrinting)}
    </div>
  )
}

/** Characters per line of the column, and the heights in pixels of a line, a paragraph gap, and the frame of a message. */
const LINE_LENGTH = 80
const LINE_HEIGHT = 25
const PARAGRAPH_GAP = 12
const FRAME = 64

/** Estimates the height of a text in the column, in pixels, so that the scroll bar does not jump when it is rendered. */
function estimateHeight(text: string): number {
  let height = FRAME
  for (const line of text.split('\n'))
    height += line === '' ? PARAGRAPH_GAP : LINE_HEIGHT * Math.ceil(line.length / LINE_LENGTH)
  return height
}
