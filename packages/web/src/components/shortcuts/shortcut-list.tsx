import { useTexts } from '../../i18n/texts.ts'
import { keyWords } from './key-words.ts'
import { isApple } from './platform.ts'
import { shortcuts } from './shortcuts.ts'
import './shortcut-list.css'

const groups = [...Map.groupBy(shortcuts, ({ group }) => group)]

/** Every shortcut and its keys. */
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
                  {keyWords(shortcut, texts, isApple).map((word) => (
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
