import type { ReactNode } from 'react'
import type { Message, SamplingSettings } from '../../chat/types.ts'
import { formatCount, formatRate, formatSeconds, formatTime } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Modal } from '../../ui/modal.tsx'
import { RouteTable } from './route-table.tsx'
import './answer-details.css'

interface AnswerDetailsProps {
  readonly message: Message
  readonly modelName: string | undefined
  readonly onClose: () => void
}

/** The dialog with the details of an answer. */
export function AnswerDetails({ message, modelName, onClose }: AnswerDetailsProps) {
  const texts = useTexts()
  const { stats, sampling, leftOut, route, standIn, createdAt } = message
  return (
    <Modal title={texts.details} size={route ? 'wide' : 'small'} onClose={onClose}>
      <dl className="details-list">
        <Fact name={texts.model}>{modelName}</Fact>
        <Fact name={texts.detailStandIn}>{standIn?.model}</Fact>
        <Fact name={texts.detailStandInReason}>{standIn?.reason}</Fact>
        <Fact name={texts.detailTime}>{formatTime(createdAt)}</Fact>
        <Fact name={texts.detailAnswerTokens}>{known(stats?.completionTokens, formatCount)}</Fact>
        <Fact name={texts.detailPromptTokens}>
          {known(stats?.promptTokens, (tokens) =>
            stats?.cachedTokens
              ? texts.promptTokens(formatCount(tokens), formatCount(stats.cachedTokens))
              : formatCount(tokens),
          )}
        </Fact>
        <Fact name={texts.detailSpeed}>
          {known(stats?.tokensPerSecond, (rate) => texts.tokensPerSecond(formatRate(rate)))}
        </Fact>
        <Fact name={texts.detailFirstToken}>{known(stats?.timeToFirstTokenMs, formatSeconds)}</Fact>
        <Fact name={texts.detailLeftOut}>{known(leftOut?.messages, texts.messageCount)}</Fact>
        <Fact name={texts.settings}>{samplingWords(sampling) || texts.modelDefaults}</Fact>
      </dl>
      {route && <RouteTable route={route} />}
    </Modal>
  )
}

/** A line of the list; nothing if the value is unknown. */
function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  if (!children) return null
  return (
    <div className="details-fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function known(value: number | undefined, format: (value: number) => string): string | undefined {
  return value === undefined ? undefined : format(value)
}

/** Uses the names of the API, which is where readers look them up. */
function samplingWords(sampling: SamplingSettings = {}): string {
  const { temperature, topP, topK, minP, repetitionPenalty, maxTokens, seed, stop } = sampling
  const named = {
    temperature,
    top_p: topP,
    top_k: topK,
    min_p: minP,
    repetition_penalty: repetitionPenalty,
    max_tokens: maxTokens,
    seed,
    stop: stop && JSON.stringify(stop),
  }
  const set = Object.entries(named).filter(([, value]) => value !== undefined)
  return set.map(([name, value]) => `${name} ${value}`).join(', ')
}
