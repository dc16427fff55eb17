import { useEffect, useState } from 'react'

interface EarlySendOptions {
  /** Identifies the draft and its text: another value is another message. */
  readonly draft: string
  /** Whether the page still reads what a message needs: the chat's messages or the server's models. */
  readonly waiting: boolean
  readonly canSend: boolean
  readonly send: () => void
}

interface EarlySend {
  /** Whether the draft will be sent as soon as the page can. */
  readonly due: boolean
  /** Sends the draft now, or as soon as the page can. */
  readonly request: () => void
}

/**
 * Sends a message that the reader sends while the page still loads: as soon as it can be sent, unless the reader changes
 * it first, or it turns out that nothing can be sent.
 */
export function useEarlySend({ draft, waiting, canSend, send }: EarlySendOptions): EarlySend {
  const [requested, setRequested] = useState<string>()
  const due = requested === draft
  useEffect(() => {
    if (requested === undefined || (due && waiting)) return
    setRequested(undefined)
    if (due && canSend) send()
  })
  return {
    due,
    request() {
      if (canSend) send()
      else if (waiting) setRequested(draft)
    },
  }
}
