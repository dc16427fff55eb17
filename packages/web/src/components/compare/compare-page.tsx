import { useEffect, useState } from 'react'
import type { ModelInfo } from '../../api/models.ts'
import { useCurrentModel } from '../../app/current-chat.ts'
import { useServices } from '../../app/services.ts'
import { emptyTree, pathTo } from '../../chat/message-tree.ts'
import { sideOf } from '../../chat/sides.ts'
import { BOTH_SIDES, sides, type Chat, type Message, type Side } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { pickOther } from '../../state/models-store.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { Composer } from '../composer/composer.tsx'
import { DropZone } from '../composer/drop-zone.tsx'
import { useAttachments } from '../composer/use-attachments.ts'
import { Notices } from '../notices.tsx'
import { useNarrow } from '../../ui/device.ts'
import { CompareSide } from './compare-side.tsx'
import { SideTabs } from './side-tabs.tsx'
import { useCompareActions } from './use-compare-actions.ts'
import './compare.css'

/** The comparison: the same messages to two models, or to one with two settings, with both answers side by side. */
export default function ComparePage() {
  const { comparison, drafts, models } = useServices()
  const texts = useTexts()
  const actions = useCompareActions()
  const attachments = useAttachments(BOTH_SIDES)
  const narrow = useNarrow()
  const a = useSide('a')
  const b = useSide('b')
  const [shown, setShown] = useState<Side>()
  useBeginning()
  const missing = useStore(models, ({ models: list }) => {
    const gone = [a, b].find((side) => list.length > 0 && !side.model)
    return gone?.chat?.model
  })
  if (!a.chat || !b.chat) return <main className="chat-page" aria-busy="true" />
  // If only one side has an answer, show the other.
  const active = shown ?? (a.path.length > b.path.length ? 'b' : 'a')
  const { model, path } = sideWithLessRoom(a, b)
  return (
    <DropZone onFiles={attachments.addFiles}>
      <div className="compare-bar">
        <h1 className={narrow ? 'visually-hidden' : 'compare-title'}>{texts.compare}</h1>
        {narrow ? (
          <SideTabs active={active} onChange={setShown} />
        ) : (
          <p className="compare-intro">{texts.compareIntro}</p>
        )}
        {a.path.length + b.path.length > 0 && (
          <Button kind="plain" icon="plus" onClick={() => void actions.restart()}>
            {texts.newComparison}
          </Button>
        )}
      </div>
      <div className="compare-sides">
        {[a, b].map(({ side, chat, tree, path: shownPath }) => (
          <CompareSide
            key={side}
            side={side}
            chat={chat!}
            tree={tree}
            path={shownPath}
            asTab={narrow}
            hidden={narrow && side !== active}
          />
        ))}
      </div>
      <Notices />
      <Composer
        draftId={BOTH_SIDES}
        model={model}
        missing={missing}
        recipient={texts.bothSides}
        running={isWriting(a.path) || isWriting(b.path)}
        loading={a.loading || b.loading}
        path={path}
        attachments={attachments}
        onStop={() => comparison.stop()}
        onSend={(input) => {
          drafts.clear(BOTH_SIDES)
          comparison.send(input)
        }}
      />
    </DropZone>
  )
}

interface SideState {
  readonly side: Side
  readonly chat: Chat | undefined
  readonly model: ModelInfo | undefined
  readonly tree: typeof emptyTree
  /** Whether the page still reads its messages. */
  readonly loading: boolean
  readonly path: readonly Message[]
}

function useSide(side: Side): SideState {
  const { chats, models } = useServices()
  const chat = useStore(chats, (state) => sideOf(state.chats.values(), side))
  const read = useStore(chats, (state) => (chat ? state.trees.get(chat.id) : undefined))
  const tree = read ?? emptyTree
  const model = useStore(models, (state) => state.models.find(({ id }) => id === chat?.model))
  const chatId = chat?.id
  useEffect(() => {
    if (chatId) void chats.open(chatId)
  }, [chats, chatId])
  return { side, chat, model, tree, loading: !read, path: pathTo(tree, chat?.leafId ?? null) }
}

/** Begins a comparison of the model of the next chat and another one, if there is another. */
function useBeginning(): void {
  const { chats, comparison, models } = useServices()
  const { model } = useCurrentModel()
  const loaded = useStore(chats, (state) => state.status === 'ready')
  const missing = useStore(chats, (state) => sides.some((side) => !sideOf(state.chats.values(), side)))
  const id = model?.id
  useEffect(() => {
    if (!loaded || !missing || id === undefined) return
    comparison.ensure({ a: { model: id }, b: { model: pickOther(models.get().models, id)?.id ?? id } })
  }, [comparison, models, loaded, missing, id])
}

/** Returns the side whose context has less room: what fits there fits both. No model if either model is missing. */
function sideWithLessRoom(a: SideState, b: SideState): Pick<SideState, 'model' | 'path'> {
  if (!a.model || !b.model) return { model: undefined, path: a.path }
  return (b.model.contextLength ?? Infinity) < (a.model.contextLength ?? Infinity) ? b : a
}

function isWriting(path: readonly Message[]): boolean {
  return path.at(-1)?.status === 'streaming'
}
