import type { RouteReport } from '../../api/route-report.ts'
import { useTexts } from '../../i18n/texts.ts'
import { failoverWords } from './failover-words.ts'

/** A quiet line where an answer had to change servers: the newest change, and how many there were before. */
export function RouteNote({ route }: { readonly route: RouteReport | undefined }) {
  const texts = useTexts()
  const newest = route?.failovers.at(-1)
  if (!route || !newest) return null
  const others = route.failovers.length - 1
  return (
    <p className="failover-note">
      {failoverWords(texts, newest)}
      {others > 0 && ` ${texts.moreFailovers(others)}`}
    </p>
  )
}
