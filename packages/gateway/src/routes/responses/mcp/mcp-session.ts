import type { ChatRequest, RequestMessage, ResponseRequest } from '@petals-chat/api'
import type { ToolBox } from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import type { AnswerEvent } from '../../../generation/answer/answer-job.ts'
import { runAnswer } from '../../../generation/answer/run-answer.ts'
import type { RunOptions } from '../../../generation/answer/run-options.ts'
import type { ChatJob, ChatTypes } from '../../../generation/chat/chat-choice-reader.ts'
import type { ResponseInput } from '../input.ts'
import { mcpCallMessages, toMessages } from '../to-messages.ts'
import { ToolTable } from '../tool-table.ts'
import { answerRounds, type RoundEvent } from './answer-rounds.ts'
import { type ApprovedCall, MAX_CALLS, runApproved } from './approvals.ts'
import { fitResults } from './fit-results.ts'
import { listMcpTools, type McpList } from './mcp-tools.ts'

type Events = AsyncIterable<AnswerEvent<ChatTypes>>

/** How the job of one round is prepared. */
export type PrepareRound = (chat: ChatRequest, messages: RequestMessage[]) => Promise<ChatJob>

/** What a request wants of MCP servers, and what has come of it before the first word. */
export class McpSession {
  readonly tools: ToolTable
  /** The dialogue before the answer, with the results of approved calls. */
  readonly messages: RequestMessage[]
  readonly #request: ResponseRequest
  readonly #box: ToolBox
  readonly #lists: readonly McpList[]
  readonly #approved: readonly ApprovedCall[]
  readonly #runOptions: RunOptions

  private constructor(given: {
    readonly request: ResponseRequest
    readonly box: ToolBox
    readonly tools: ToolTable
    readonly messages: RequestMessage[]
    readonly lists: readonly McpList[]
    readonly approved: readonly ApprovedCall[]
    readonly runOptions: RunOptions
  }) {
    this.tools = given.tools
    this.messages = given.messages
    this.#request = given.request
    this.#box = given.box
    this.#lists = given.lists
    this.#approved = given.approved
    this.#runOptions = given.runOptions
  }

  /** Lists the tools of the servers, and runs the calls that the request approves. @throws InvalidRequestError; the signal's reason */
  static async begin(
    request: ResponseRequest,
    { own, all }: Pick<ResponseInput, 'own' | 'all'>,
    { tools: box }: Pick<GatewayContext, 'tools'>,
    { signal, runOptions }: { readonly signal: AbortSignal; readonly runOptions: RunOptions },
  ): Promise<McpSession> {
    const offered = request.tools ?? []
    const lists = await listMcpTools(offered, box, { signal })
    const mcpTools = lists.flatMap((list) => list.tools)
    const tools = new ToolTable(offered, mcpTools)
    const approved = await runApproved({ own, all, tools: mcpTools, box, signal })
    const messages = [
      ...toMessages(request.instructions, all, tools),
      ...approved.flatMap((call) => approvedMessages(call, tools)),
    ]
    const known = new Set(all.flatMap((item) => (item.type === 'mcp_list_tools' ? [item.server_label] : [])))
    const shown = lists.filter(({ label }) => !known.has(label))
    return new McpSession({ request, box, tools, messages, lists: shown, approved, runOptions })
  }

  /** The events of the whole response. `chat`: the request as it was prepared for the first round. */
  rounds(
    context: GatewayContext,
    [job, events]: readonly [ChatJob, Events],
    chat: ChatRequest,
    prepare: PrepareRound,
  ): AsyncIterable<RoundEvent> {
    const { max_tool_calls: asked } = this.#request
    return answerRounds(job, events, {
      lists: this.#lists,
      approved: this.#approved,
      tools: this.tools,
      box: this.#box,
      maxCalls: Math.min(asked ?? MAX_CALLS, MAX_CALLS),
      next: async (added, isLast) => {
        // What was demanded of the first round would never end.
        const tool_choice = isLast ? 'none' : 'auto'
        const next = await fitResults(added, (results) =>
          prepare({ ...chat, tool_choice }, [...this.messages, ...results]),
        )
        return runAnswer<ChatTypes>(context, next, this.#runOptions)
      },
    })
  }
}

const approvedMessages = ({ requestId, label, name, input, result }: ApprovedCall, tools: ToolTable) =>
  mcpCallMessages({ id: requestId, server_label: label, name, arguments: input }, result.text, tools)
