import type { RequestMessage } from '@petals-chat/api'
import { CallSlots, InvalidRequestError, type ToolBox } from '@petals-chat/engine'
import type { Owner } from '../../../answers/owner.ts'
import type { ResponseStore } from '../../../answers/response-store.ts'
import { GatewayError } from '../../../errors.ts'
import { mcpCallMessages } from '../to-messages.ts'
import type { ToolTable } from '../tool-table.ts'
import type { WholeItem } from '../whole-item.ts'
import { approvalRequests } from './approval-requests.ts'
import type { McpTool } from './mcp-tools.ts'
import { type CallResult, runCall } from './run-call.ts'

/** Calls in one answer, whatever its request allows. */
export const MAX_CALLS = 64
/** Approved calls of one response that run at the same time. */
const AT_ONCE = 2

/** A call that the request has approved. */
export interface PendingCall {
  readonly requestId: string
  readonly label: string
  readonly name: string
  readonly input: string
  /** As the box names it; undefined if the request does not offer the tool. */
  readonly boxName: string | undefined
  /** What became of it in another response, which had the same approval. */
  readonly known: CallResult | undefined
}

/** An approved call, and what became of it. */
export type ApprovedCall = Pick<PendingCall, 'requestId' | 'label' | 'name' | 'input'> & {
  readonly result: CallResult
}

export interface ApprovalContext {
  /** The items of the request itself. */
  readonly own: readonly WholeItem[]
  /** All items of the dialogue. */
  readonly all: readonly WholeItem[]
  readonly tools: readonly McpTool[]
  readonly store: ResponseStore
  readonly owner: Owner
}

/**
 * The calls that a request approves, each of them once; none runs yet.
 * @throws InvalidRequestError if one is not there to be approved, or has two answers; GatewayError `approval_used`
 */
export function pendingCalls({ own, all, tools, store, owner }: ApprovalContext): readonly PendingCall[] {
  const requests = approvalRequests(own, all)
  if (requests.length > MAX_CALLS)
    throw new InvalidRequestError(`Invalid 'input': it approves more than ${MAX_CALLS} calls.`, {
      param: 'input',
      reason: 'invalid_value',
    })
  return requests.map(({ id, server_label: label, name, arguments: input }) => {
    const found = tools.find(({ label: other, tool }) => other === label && tool.ownName === name)
    const known = knownResult(id, store, owner)
    return { requestId: id, label, name, input, boxName: found?.tool.name, known }
  })
}

/** @throws GatewayError `approval_used` if the call was begun, and its result is not kept */
function knownResult(id: string, store: ResponseStore, owner: Owner): CallResult | undefined {
  const used = store.usedBy(id, owner)
  if (used === undefined) return undefined
  const items = used.response?.isRunning ? [] : ((used.response?.ownItems() ?? []) as readonly WholeItem[])
  for (const item of items) {
    if (item.type !== 'mcp_call' || item.approval_request_id !== id) continue
    if (item.error != null) return { text: item.error, isError: true }
    if (item.output != null) return { text: item.output, isError: false }
  }
  throw approvalUsed(id)
}

const approvalUsed = (id: string): GatewayError =>
  new GatewayError(
    'approval_used',
    `The call of the approval request '${id}' was begun before, by a response that is still running or whose result is ` +
      'not kept. It does not run again: read that response, or ask the model anew.',
  )

/** What becomes of approvals. */
export interface Approvals {
  /** Marks an approval as used. Returns false if it was used before. */
  use(requestId: string): boolean
  /** Marks an approval as unused, because its call has not begun. */
  giveBack(requestId: string): void
}

export interface RunApprovedOptions {
  readonly box: ToolBox
  readonly signal: AbortSignal
  readonly approvals: Approvals
  /** Waits until another call may run. */
  turn(signal: AbortSignal): Promise<Disposable>
}

/**
 * Runs approved calls, a few at a time: all of them, or none if one was begun by another response.
 * @throws GatewayError `approval_used`; the signal's reason
 */
export async function* runApproved(
  calls: readonly PendingCall[],
  options: RunApprovedOptions,
): AsyncGenerator<ApprovedCall, void, undefined> {
  const waiting = useAll(calls, options.approvals)
  const slots = new CallSlots(AT_ONCE)
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const runs = calls.map(async (call) => {
    using _slot = await slots.enter('', signal)
    return { ...call, result: await resultOf(call, waiting, { ...options, signal }) }
  })
  const all = Promise.allSettled(runs)
  try {
    for (const run of runs) yield await run
  } finally {
    stop.abort()
    await all
    for (const id of waiting) options.approvals.giveBack(id)
  }
}

/** Marks the approvals of all calls that are to run, and returns their ids. */
function useAll(calls: readonly PendingCall[], approvals: Approvals): Set<string> {
  const used = new Set<string>()
  for (const { requestId, boxName, known } of calls) {
    if (boxName === undefined || known !== undefined) continue
    if (!approvals.use(requestId)) {
      for (const id of used) approvals.giveBack(id)
      throw approvalUsed(requestId)
    }
    used.add(requestId)
  }
  return used
}

async function resultOf(
  { requestId, label, name, boxName, input, known }: PendingCall,
  waiting: Set<string>,
  { box, signal, turn }: Pick<RunApprovedOptions, 'box' | 'signal' | 'turn'>,
): Promise<CallResult> {
  if (known !== undefined) return known
  if (boxName === undefined)
    return { text: `The tool '${name}' of '${label}' is not among those of the request.`, isError: true }
  using _turn = await turn(signal)
  waiting.delete(requestId)
  return await runCall(box, { name: boxName, input }, { signal })
}

/** An approved call and its result, as the model sees them. */
export const approvedMessages = (
  { requestId, label, name, input, result }: ApprovedCall,
  tools: ToolTable,
): readonly RequestMessage[] =>
  mcpCallMessages({ id: requestId, server_label: label, name, arguments: input }, result.text, tools)
