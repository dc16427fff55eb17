import { formatCount } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button, IconButton } from '../button.tsx'

interface PasteOfferProps {
  readonly length: number
  readonly onAccept: () => void
  readonly onDismiss: () => void
}

/** A long text was pasted: it may rather go beside the message, as a file. */
export function PasteOffer({ length, onAccept, onDismiss }: PasteOfferProps) {
  const texts = useTexts()
  return (
    <div className="composer-note" role="status">
      <span>{texts.longPaste(formatCount(length))}</span>
      <Button icon="attach" onClick={onAccept}>
        {texts.attachPaste}
      </Button>
      <IconButton size="small" icon="close" label={texts.dismiss} onClick={onDismiss} />
    </div>
  )
}
