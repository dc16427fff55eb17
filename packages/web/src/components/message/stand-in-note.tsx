import type { StandIn } from '../../api/route-report.ts'
import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'

interface StandInNoteProps {
  /** Name of the model that was asked. */
  readonly asked: string
  readonly standIn: StandIn | undefined
}

/** A line for an answer that another model has written. */
export function StandInNote({ asked, standIn }: StandInNoteProps) {
  const texts = useTexts()
  const { models } = useServices()
  const writer = useStore(models, (state) => state.models.find(({ id }) => id === standIn?.model))
  if (!standIn) return null
  return <p className="failover-note">{texts.standIn(asked, writer?.name ?? standIn.model)}</p>
}
