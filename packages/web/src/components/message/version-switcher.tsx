import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { IconButton } from '../../ui/button.tsx'

export interface Versions {
  /** Index of the shown version, from 0. */
  readonly index: number
  readonly count: number
}

interface VersionSwitcherProps extends Versions {
  readonly chatId: string
  readonly messageId: string
}

/** ‹ 2/3 ›: switches between the versions of a message, and thereby between the branches below. */
export function VersionSwitcher({ chatId, messageId, index, count }: VersionSwitcherProps) {
  const { conversation } = useServices()
  const texts = useTexts()
  if (count < 2) return null
  const step = (offset: number) => (): void => conversation.showVersion(chatId, messageId, offset)
  return (
    <span className="versions" role="group" aria-label={texts.versionOf(index + 1, count)}>
      <IconButton
        size="small"
        icon="left"
        label={texts.previousVersion}
        disabled={index === 0}
        onClick={step(-1)}
      />
      <span className="versions-place" aria-hidden="true">
        {index + 1}/{count}
      </span>
      <IconButton
        size="small"
        icon="right"
        label={texts.nextVersion}
        disabled={index === count - 1}
        onClick={step(1)}
      />
    </span>
  )
}
