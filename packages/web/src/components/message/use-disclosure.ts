import { useState, type ToggleEvent } from 'react'

export interface Disclosure {
  readonly open: boolean
  /** Of a `details` element. */
  readonly onToggle: (event: ToggleEvent<HTMLElement>) => void
}

/** Whether something is unfolded. Kept above what is drawn anew, so that it does not snap shut under the reader. */
export function useDisclosure(): Disclosure {
  const [open, setOpen] = useState(false)
  return { open, onToggle: (event) => setOpen(event.newState === 'open') }
}
