import { InvalidRequestError, type ToolBox } from '@petals-chat/engine'
import type { WholeItem } from '../whole-item.ts'
import type { McpTool } from './mcp-tools.ts'
import { type CallResult, runCall } from './run-call.ts'

type ApprovalRequest = Extract<WholeItem, { type: 'mcp_approval_request' }>

/** Calls in one answer, whatever its request allows. */
export const MAX_CALLS = 64

/** A call that the request has approved, and what became of it. */
export interface ApprovedCall {
  readonly requestId: string
  readonly label: string
  readonly name: string
  readonly input: string
  readonly result: CallResult
}

export interface ApprovalContext {
  /** The items of the request itself. */
  readonly own: readonly WholeItem[]
  /** All items of the dialogue. */
  readonly all: readonly WholeItem[]
  readonly tools: readonly McpTool[]
  readonly box: ToolBox
  readonly signal: AbortSignal
}

/** Runs the calls that a request approves, each of them once. @throws InvalidRequestError if one is not there to be approved */
export async function runApproved({
  own,
  all,
  tools,
  box,
  signal,
}: ApprovalContext): Promise<readonly ApprovedCall[]> {
  const requests = approvalRequests(own, all)
  if (requests.length > MAX_CALLS)
    throw new InvalidRequestError(`Invalid 'input': it approves more than ${MAX_CALLS} calls.`, {
      param: 'input',
      reason: 'invalid_value',
    })
  const runs = requests.map(async ({ id, server_label: label, name, arguments: input }) => {
    const found = tools.find(({ label: other, tool }) => other === label && tool.ownName === name)
    const result =
      found === undefined
        ? { text: `The tool '${name}' of '${label}' is not among those of the request.`, isError: true }
        : await runCall(box, { name: found.tool.name, input }, { signal })
    return { requestId: id, label, name, input, result }
  })
  return Promise.all(runs)
}

function approvalRequests(own: readonly WholeItem[], all: readonly WholeItem[]): readonly ApprovalRequest[] {
  const done = new Set(
    all.flatMap((item) => (item.type === 'mcp_call' ? (item.approval_request_id ?? []) : [])),
  )
  const found = new Map<string, ApprovalRequest>()
  for (const [index, item] of own.entries()) {
    if (item.type !== 'mcp_approval_response') continue
    const request = all.find(
      (other): other is ApprovalRequest =>
        other.type === 'mcp_approval_request' && other.id === item.approval_request_id,
    )
    if (request === undefined) throw unknownRequest(index)
    if (item.approve && !done.has(request.id)) found.set(request.id, request)
  }
  return [...found.values()]
}

function unknownRequest(index: number): InvalidRequestError {
  const param = `input[${index}].approval_request_id`
  return new InvalidRequestError(
    `Invalid '${param}': the dialogue has no mcp_approval_request of that id. Send it along, or name its response as previous_response_id.`,
    { param, reason: 'invalid_value' },
  )
}
