import { useServices } from '../../app/services.ts'
import { deleteAllChats } from '../../app/transfer.ts'
import { isListed } from '../../chat/sides.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { Modal } from '../../ui/modal.tsx'

interface DeleteAllDialogProps {
  readonly onClose: () => void
  readonly onDeleted: () => void
}

/** Asks for confirmation before all chats are deleted. */
export function DeleteAllDialog({ onClose, onDeleted }: DeleteAllDialogProps) {
  const services = useServices()
  const texts = useTexts()
  const count = useStore(services.chats, (state) => [...state.chats.values()].filter(isListed).length)
  return (
    <Modal title={texts.deleteAllTitle} onClose={onClose}>
      <p>{texts.deleteAllText(count)}</p>
      <div className="modal-actions">
        <Button onClick={onClose}>{texts.cancel}</Button>
        <Button
          kind="primary"
          onClick={() => {
            void deleteAllChats(services)
            onDeleted()
          }}
        >
          {texts.deleteAll}
        </Button>
      </div>
    </Modal>
  )
}
