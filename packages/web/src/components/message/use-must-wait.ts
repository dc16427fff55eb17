import type { MessageError } from '../../chat/types.ts'
import { useSecondsUntil } from '../../ui/use-seconds-until.ts'

/** Reports whether the server would refuse a further request for now: the reader has used up a limit. */
export function useMustWait(error: MessageError | undefined): boolean {
  const seconds = useSecondsUntil(error?.kind === 'rate-limit' ? error.retryAt : undefined)
  return seconds !== undefined && seconds > 0
}
