import { formatRoute } from '../../app/router.ts'
import { useTexts } from '../../i18n/texts.ts'

/** Below it, in tokens a second, reading is faster than the swarm. */
const SLOW = 1

/** A swarm that is slow gets faster with every computer that joins: says how. */
export function SlowHint({ engine, rate }: { readonly engine: string | undefined; readonly rate: number }) {
  const texts = useTexts()
  if (engine !== 'petals' || rate >= SLOW) return null
  return (
    <span className="slow-hint">
      {texts.tooSlow} <a href={formatRoute({ page: 'swarm' })}>{texts.connectGpu}</a>
    </span>
  )
}
