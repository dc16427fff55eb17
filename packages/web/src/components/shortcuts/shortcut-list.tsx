import { useTexts } from '../../i18n/texts.ts'
import { keyWords } from './key-words.ts'
import { shortcuts } from './shortcuts.ts'
import { Modal } from '../../ui/modal.tsx'
import './shortcut-list.css'

const groups = [...Map.groupBy(shortcuts, ({ group }) => group)]

/** The list of all shortcuts with their keys. */
export function ShortcutList() {
  const texts = useTexts()
  return (
    <div className="shortcut-groups">
      {groups.map(([group, members]) => (
        <section key={group} aria-label={texts[group]}>
          <h3>{texts[group]}</h3>
          <dl>
            {members.map((shortcut) => (
              <div key={shortcut.text} className="shortcut">
                <dt>{texts[shortcut.text]}</dt>
                <dd>
                  {keyWords(shortcut, texts).map((word) => (
                    <kbd key={word}>{word}</kbd>
                  ))}
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  )
}

export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts()
  return (
    <Modal title={texts.shortcuts} size="wide" onClose={onClose}>
      <ShortcutList />
    </Modal>
  )
}
