import { CurrentChatContext } from '../../app/current-chat.ts'
import { useServices } from '../../app/services.ts'
import type { MessageTree } from '../../chat/message-tree.ts'
import { numberFields } from '../../chat/settings-form.ts'
import type { Chat, ChatSettings, Message, Side } from '../../chat/types.ts'
import { formatExact } from '../../i18n/format.ts'
import type { Texts } from '../../i18n/en.ts'
import { useTexts } from '../../i18n/texts.ts'
import { AnswerAnnouncer } from '../answer-announcer.tsx'
import { Button, IconButton } from '../../ui/button.tsx'
import { ModelSelector } from '../model-selector.tsx'
import { fieldTexts } from '../settings/setting-words.ts'
import { SettingsButton } from '../settings/settings-button.tsx'
import { ToolsButton } from '../tools/tools-button.tsx'
import { Thread } from '../thread.tsx'
import { panelId, sideLetter, tabId } from '../element-ids.ts'
import { useCompareActions } from './use-compare-actions.ts'

interface CompareSideProps {
  readonly side: Side
  readonly chat: Chat
  readonly tree: MessageTree
  /** The shown branch. */
  readonly path: readonly Message[]
  /** Only one side is visible at a time. */
  readonly asTab: boolean
  readonly hidden: boolean
}

/** One side: a model with its settings, and its answers. */
export function CompareSide({ side, chat, tree, path, asTab, hidden }: CompareSideProps) {
  const { conversation } = useServices()
  const texts = useTexts()
  const { keep } = useCompareActions()
  const letter = sideLetter(side)
  const name = texts.compareSide(letter)
  const last = path.at(-1)
  const role = asTab ? { role: 'tabpanel', 'aria-labelledby': tabId(side) } : { 'aria-label': name }
  return (
    <CurrentChatContext value={chat.id}>
      <section id={panelId(side)} className="compare-side" hidden={hidden} {...role}>
        <div className="compare-head">
          {!asTab && (
            <span className="compare-letter" aria-hidden="true">
              {letter}
            </span>
          )}
          <ModelSelector />
          <SettingsButton />
          <ToolsButton />
          <span className="compare-space" />
          {last?.status === 'streaming' ? (
            <IconButton icon="stop" label={texts.stopSide(letter)} onClick={() => conversation.stop(last)} />
          ) : (
            last && (
              <Button kind="plain" icon="check" onClick={() => void keep(side)}>
                {texts.keepSide}
              </Button>
            )
          )}
        </div>
        <p className="compare-settings">{settingWords(texts, chat.settings) || texts.modelDefaults}</p>
        {path.length > 0 ? (
          <Thread key={chat.id} tree={tree} path={path} label={`${texts.conversation}: ${name}`} />
        ) : (
          <p className="compare-empty">{texts.compareEmpty(letter)}</p>
        )}
        <AnswerAnnouncer
          messageId={last?.id}
          status={last?.role === 'assistant' ? last.status : undefined}
          name={name}
        />
      </section>
    </CurrentChatContext>
  )
}

/** Describes in one line how a side's settings differ from its model's defaults. */
function settingWords(texts: Texts, settings: ChatSettings): string {
  const numbers = numberFields.flatMap(({ key }) => {
    const value = settings[key]
    return value === undefined ? [] : `${fieldTexts(texts, key).label} ${formatExact(value)}`
  })
  const { systemPrompt, stop } = settings
  return [
    ...(systemPrompt ? [`${texts.systemPrompt}: ${systemPrompt}`] : []),
    ...numbers,
    ...(stop ? [texts.stopTexts] : []),
  ].join(' · ')
}
