import { useTexts } from '../../i18n/texts.ts'
import { Modal } from '../modal.tsx'
import { ShortcutList } from './shortcut-list.tsx'

export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts()
  return (
    <Modal title={texts.shortcuts} size="wide" onClose={onClose}>
      <ShortcutList />
    </Modal>
  )
}
