import type { ToolCall } from '../../chat/tool-calls.ts'
import { ToolCallView } from './tool-call-view.tsx'
import { ToolConsent } from './tool-consent.tsx'
import './tool-calls.css'

interface ToolCallsProps {
  readonly messageId: string
  readonly calls: readonly ToolCall[]
  /** Whether the answer goes on: then the reader can be asked. */
  readonly live: boolean
}

/** The calls of tools in an answer, folded, and the request for consent. */
export default function ToolCalls({ messageId, calls, live }: ToolCallsProps) {
  return (
    <div className="tool-calls">
      {calls.map((call) =>
        call.state === 'asking' && live ? (
          <ToolConsent key={call.id} messageId={messageId} call={call} />
        ) : (
          <ToolCallView key={call.id} call={call} />
        ),
      )}
    </div>
  )
}
