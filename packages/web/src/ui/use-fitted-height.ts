import { useLayoutEffect, type RefObject } from 'react'

/** Makes a text field as high as its text; its `max-height` bounds it. */
export function useFittedHeight(field: RefObject<HTMLTextAreaElement | null>, text: string): void {
  useLayoutEffect(() => {
    const { current } = field
    if (!current) return
    current.style.height = 'auto'
    current.style.height = `${current.scrollHeight}px`
  }, [field, text])
}
