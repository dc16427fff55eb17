import { useState, type ReactNode } from 'react'
import { useTexts } from '../i18n/texts.ts'
import { realHost } from '../markdown/link-policy.ts'
import { ConfirmLinkContext } from '../markdown/safe-link.tsx'
import { Button } from '../ui/button.tsx'
import { copyText } from '../ui/copy-text.ts'
import { Modal } from '../ui/modal.tsx'
import './link-confirmation.css'

/** Shows the real destination of a link in model text before opening it. */
export function LinkConfirmation({ children }: { readonly children: ReactNode }) {
  const texts = useTexts()
  const [url, setUrl] = useState<URL>()
  const close = (): void => setUrl(undefined)
  return (
    <ConfirmLinkContext value={setUrl}>
      {children}
      {url && (
        <Modal title={texts.openLinkTitle} onClose={close}>
          <p>{texts.openLinkText(realHost(url))}</p>
          <p className="link-address">{url.href}</p>
          <div className="modal-actions">
            <Button icon="copy" onClick={() => void copyText(url.href).then(close)}>
              {texts.copyLink}
            </Button>
            <Button onClick={close}>{texts.cancel}</Button>
            <Button
              kind="primary"
              icon="external"
              onClick={() => {
                window.open(url.href, '_blank', 'noopener,noreferrer')
                close()
              }}
            >
              {texts.openLink}
            </Button>
          </div>
        </Modal>
      )}
    </ConfirmLinkContext>
  )
}
