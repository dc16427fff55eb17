import { useEffect, useState } from 'react'

/**
 * Counts down the whole seconds until `time`, in milliseconds since 1970.
 * Returns 0 once it has come; undefined if there is no time.
 */
export function useSecondsUntil(time: number | undefined): number | undefined {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (time === undefined || time <= Date.now()) return undefined
    setNow(Date.now())
    const timer = setInterval(() => {
      setNow(Date.now())
      if (time <= Date.now()) clearInterval(timer)
    }, 1000)
    return () => clearInterval(timer)
  }, [time])
  return time === undefined ? undefined : Math.max(0, Math.ceil((time - now) / 1000))
}
