import { useTexts } from '../../i18n/texts.ts'
import { Markdown } from '../../markdown/markdown.tsx'
import { Icon } from '../../ui/icon.tsx'
import type { Disclosure } from './use-disclosure.ts'
import './thoughts.css'

interface ThoughtsProps {
  readonly text: string
  /** The model has not begun its answer yet. */
  readonly thinking: boolean
  readonly disclosure: Disclosure
}

/** The thoughts of a model before its answer, collapsed at first. */
export function Thoughts({ text, thinking, disclosure }: ThoughtsProps) {
  const texts = useTexts()
  return (
    <details className="thoughts" data-thinking={thinking || undefined} {...disclosure}>
      <summary>
        <Icon name="bulb" size={17} />
        {thinking ? texts.thinking : texts.thoughts}
        <Icon name="chevron" size={17} />
      </summary>
      <div className="thoughts-text">
        <Markdown text={text} growing={thinking} />
      </div>
    </details>
  )
}
