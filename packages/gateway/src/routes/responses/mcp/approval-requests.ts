import { InvalidRequestError } from '@petals-chat/engine'
import type { WholeItem } from '../whole-item.ts'

type ApprovalRequest = Extract<WholeItem, { type: 'mcp_approval_request' }>

/**
 * The requests that `own` approves, those whose call is done left out.
 * @throws InvalidRequestError if one is not in the dialogue, or has another answer already
 */
export function approvalRequests(
  own: readonly WholeItem[],
  all: readonly WholeItem[],
): readonly ApprovalRequest[] {
  const done = new Set(
    all.flatMap((item) => (item.type === 'mcp_call' ? (item.approval_request_id ?? []) : [])),
  )
  const requests = new Map(
    all.flatMap((item) => (item.type === 'mcp_approval_request' ? [[item.id, item] as const] : [])),
  )
  const before = answersOf(all.slice(0, all.length - own.length))
  const answered = new Set<string>()
  const found: ApprovalRequest[] = []
  for (const [index, item] of own.entries()) {
    if (item.type !== 'mcp_approval_response') continue
    const request = requests.get(item.approval_request_id)
    if (request === undefined) throw unknownRequest(index)
    const earlier = before.get(request.id)
    if (answered.has(request.id) || (earlier !== undefined && earlier !== item.approve))
      throw answeredTwice(index)
    answered.add(request.id)
    if (item.approve && !done.has(request.id)) found.push(request)
  }
  return found
}

const answersOf = (items: readonly WholeItem[]): ReadonlyMap<string, boolean> =>
  new Map(
    items.flatMap((item) =>
      item.type === 'mcp_approval_response' ? [[item.approval_request_id, item.approve] as const] : [],
    ),
  )

const unknownRequest = (index: number): InvalidRequestError =>
  invalid(
    index,
    'the dialogue has no mcp_approval_request of that id. Send it along, or name its response as previous_response_id.',
  )

const answeredTwice = (index: number): InvalidRequestError =>
  invalid(index, 'the dialogue has another answer to that request already. Send one answer to each request.')

function invalid(index: number, problem: string): InvalidRequestError {
  const param = `input[${index}].approval_request_id`
  return new InvalidRequestError(`Invalid '${param}': ${problem}`, { param, reason: 'invalid_value' })
}
