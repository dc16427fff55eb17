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
  // Calls are only ever added, and ids may repeat while the model writes.
  return (
    <div className="tool-calls">
      {calls.map((call, index) =>
        call.state === 'asking' && live ? (
          <ToolConsent key={index} messageId={messageId} call={call} />
        ) : (
          <ToolCallView key={index} call={call} />
        ),
      )}
    </div>
  )
}
