import { useEffect, useState } from 'react'
import {
  argumentsText,
  isolated,
  quotableName,
  shortArguments,
  shortText,
  visible,
  type ToolCall,
} from '../../chat/tool-calls.ts'
import type { Texts } from '../../i18n/en.ts'
import { formatSeconds } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Icon } from '../../ui/icon.tsx'
import { useDisclosure } from '../message/use-disclosure.ts'
import { IsolatedText } from './isolated-text.tsx'

/** A call as one line, with all that was sent and returned inside. All of it is text, never markup. */
export function ToolCallView({ call }: { readonly call: ToolCall }) {
  const texts = useTexts()
  const disclosure = useDisclosure()
  const { state, server, result, truncated, elapsedMs } = call
  const isFailed = state === 'failed'
  return (
    <details className="tool-call" data-state={state} {...disclosure}>
      <summary>
        <Icon name={isFailed ? 'warning' : 'tool'} size={17} />
        <span className="tool-call-words" dir="auto">
          <IsolatedText text={callWords(texts, call)} />
        </span>
        {state === 'running' && <Elapsed since={call.startedAt} />}
        <Icon name="chevron" size={17} />
      </summary>
      <div className="tool-call-parts">
        <TextPart title={server ? texts.toolSentTo(server) : texts.toolSent} text={argumentsText(call)} />
        {result !== undefined && (
          <TextPart
            title={isFailed ? texts.toolError : texts.toolResult}
            time={elapsedMs === undefined ? undefined : formatSeconds(elapsedMs)}
            text={result || texts.toolNoResult}
          />
        )}
        {truncated && <p className="tool-call-note">{texts.toolTruncated}</p>}
      </div>
    </details>
  )
}

interface TextPartProps {
  readonly title: string
  readonly time?: string | undefined
  readonly text: string
}

function TextPart({ title, time, text }: TextPartProps) {
  return (
    <section aria-label={title}>
      <p className="tool-call-title">
        {title}
        {time && <span>{time}</span>}
      </p>
      <pre className="tool-text" tabIndex={0} dir="auto">
        {text}
      </pre>
    </section>
  )
}

/** Says in a line what became of a call; what others wrote is isolated. */
export function callWords(texts: Texts, call: ToolCall): string {
  const { state, title, name, result = '' } = call
  const tool = isolated(quotableName(title || name))
  const sent = isolated(shortArguments(call))
  switch (state) {
    case 'writing':
      return texts.toolWriting(tool)
    case 'waiting':
    case 'asking':
      return texts.toolWaiting(tool)
    case 'running':
      return texts.toolRunning(tool, sent)
    case 'done':
      return texts.toolDone(tool, sent, isolated(shortText(visible(result))))
    case 'failed':
      return texts.toolFailed(tool, sent)
    case 'denied':
      return texts.toolDenied(tool, sent)
    case 'stopped':
      return texts.toolStopped(tool, sent)
  }
}

/** Whole seconds since the call was sent; nothing in the first second. */
function Elapsed({ since }: { readonly since: number | undefined }) {
  const texts = useTexts()
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  const seconds = since === undefined ? 0 : Math.floor((now - since) / 1000)
  return seconds > 0 ? <span className="tool-call-time">{texts.toolSeconds(seconds)}</span> : null
}
