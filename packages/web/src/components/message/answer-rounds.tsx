import { lazy, Suspense } from 'react'
import { splitReasoning } from '../../chat/reasoning.ts'
import type { ToolCall, ToolRound } from '../../chat/tool-calls.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Markdown } from '../../markdown/markdown.tsx'
import { Thoughts } from './thoughts.tsx'
import { useDisclosure } from './use-disclosure.ts'

/** Most chats have no calls. */
const ToolCalls = lazy(() => import('../tools/tool-calls.tsx'))

interface AnswerRoundsProps {
  readonly messageId: string
  readonly rounds: readonly ToolRound[]
}

/** The parts of an answer before its last calls. */
export function AnswerRounds({ messageId, rounds }: AnswerRoundsProps) {
  // Rounds are only ever added.
  return rounds.map((round, index) => <Round key={index} messageId={messageId} round={round} />)
}

function Round({ messageId, round }: { readonly messageId: string; readonly round: ToolRound }) {
  const texts = useTexts()
  const thoughts = useDisclosure()
  const { reasoning, answer } = splitReasoning(round.content, round.reasoning)
  return (
    <>
      {reasoning && <Thoughts text={reasoning} thinking={false} disclosure={thoughts} />}
      {answer.trim() && <Markdown text={answer} growing={false} />}
      <AnswerCalls messageId={messageId} calls={round.calls} live={false} />
      {round.limit !== undefined && (
        <p className="tool-limit" role="note">
          {texts.toolLimit(round.limit)}
        </p>
      )}
    </>
  )
}

interface AnswerCallsProps {
  readonly messageId: string
  readonly calls: readonly ToolCall[]
  readonly live: boolean
}

/** The calls after a part of an answer. */
export function AnswerCalls({ messageId, calls, live }: AnswerCallsProps) {
  if (calls.length === 0) return null
  return (
    <Suspense>
      <ToolCalls messageId={messageId} calls={calls} live={live} />
    </Suspense>
  )
}
