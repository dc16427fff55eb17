import { useState, type SyntheticEvent } from 'react'

export interface Disclosure {
  readonly open: boolean
  /** The handler for a `details` element. */
  readonly onToggle: (event: SyntheticEvent<HTMLDetailsElement>) => void
}

/**
 * The open state of a `details` element. Keep it above components that are mounted again, so that it does not close
 * unasked.
 */
export function useDisclosure(): Disclosure {
  const [open, setOpen] = useState(false)
  return {
    open,
    onToggle({ target, currentTarget }) {
      // In React the event bubbles from nested `<details>`, which a model may write.
      if (target === currentTarget) setOpen(currentTarget.open)
    },
  }
}
