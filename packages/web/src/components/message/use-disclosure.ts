import { useState, type SyntheticEvent } from 'react'

export interface Disclosure {
  readonly open: boolean
  /** Of a `details` element. */
  readonly onToggle: (event: SyntheticEvent<HTMLDetailsElement>) => void
}

/** Whether something is unfolded. Kept above what is drawn anew, so that it does not snap shut under the reader. */
export function useDisclosure(): Disclosure {
  const [open, setOpen] = useState(false)
  return {
    open,
    onToggle({ target, currentTarget }) {
      // React passes on that of `<details>` inside of it, too, which a model may write.
      if (target === currentTarget) setOpen(currentTarget.open)
    },
  }
}
