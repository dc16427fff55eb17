import type { ChatRequest, RequestMessage, ResponseRequest } from '@petals-chat/api'
import type { Owner } from '../../../answers/owner.ts'
import type { GatewayContext } from '../../../context.ts'
import type { AnswerEvent } from '../../../generation/answer/answer-job.ts'
import { leaveAnswer } from '../../../generation/answer/leave-answer.ts'
import { runAnswer, tokensOf } from '../../../generation/answer/run-answer.ts'
import type { RunOptions } from '../../../generation/answer/run-options.ts'
import type { ChatJob, ChatTypes } from '../../../generation/chat/chat-choice-reader.ts'
import type { ResponseInput } from '../input.ts'
import { responseId } from '../response-body.ts'
import { toMessages } from '../to-messages.ts'
import { ToolTable } from '../tool-table.ts'
import { answerRounds, type RoundEvent, type RoundOptions } from './answer-rounds.ts'
import {
  type Approvals,
  approvedMessages,
  MAX_CALLS,
  type PendingCall,
  pendingCalls,
  runApproved,
} from './approvals.ts'
import { fitResults, LEFT_OUT } from './fit-results.ts'
import { listMcpTools, type McpList } from './mcp-tools.ts'

type Events = AsyncIterable<AnswerEvent<ChatTypes>>

/** How the job of one round is prepared. */
export type PrepareRound = (chat: ChatRequest, messages: RequestMessage[]) => Promise<ChatJob>

interface Given {
  readonly request: ResponseRequest
  readonly tools: ToolTable
  readonly dialogue: readonly RequestMessage[]
  readonly lists: readonly McpList[]
  readonly pending: readonly PendingCall[]
  readonly options: McpOptions
}

export interface McpOptions {
  /** Ends the listing of tools. */
  readonly signal: AbortSignal
  readonly owner: Owner
  readonly runOptions: RunOptions
}

/** What a request wants of MCP servers, and what has come of it before the first word. */
export class McpSession {
  readonly tools: ToolTable
  /** What the request is checked with: the dialogue before the answer, where approved calls have no results yet. */
  readonly messages: RequestMessage[]
  readonly #given: Given

  private constructor(given: Given) {
    const { tools, dialogue, pending } = given
    this.#given = given
    this.tools = tools
    const noResult = { text: LEFT_OUT, isError: false }
    this.messages = [
      ...dialogue,
      ...pending.flatMap((call) => approvedMessages({ ...call, result: noResult }, tools)),
    ]
  }

  /**
   * Lists the tools of the servers, and finds the calls that the request approves.
   * @throws InvalidRequestError; GatewayError `approval_used`; the signal's reason
   */
  static async begin(
    request: ResponseRequest,
    { own, all }: Pick<ResponseInput, 'own' | 'all'>,
    { tools: box, responses: store }: Pick<GatewayContext, 'tools' | 'responses'>,
    options: McpOptions,
  ): Promise<McpSession> {
    const { signal, owner } = options
    const offered = request.tools ?? []
    const lists = await listMcpTools(offered, box, { signal })
    const mcpTools = lists.flatMap((list) => list.tools)
    const tools = new ToolTable(offered, mcpTools)
    const pending = pendingCalls({ own, all, tools: mcpTools, store, owner })
    const dialogue = toMessages(request.instructions, all, tools)
    const known = new Set(all.flatMap((item) => (item.type === 'mcp_list_tools' ? [item.server_label] : [])))
    const shown = lists.filter(({ label }) => !known.has(label))
    return new McpSession({ request, tools, dialogue, lists: shown, pending, options })
  }

  /** The request approves calls: its answer is asked for once they have results. */
  get asksLater(): boolean {
    return this.#given.pending.length > 0
  }

  /**
   * The events of the whole response. Approved calls run once the answer that `job` was prepared for is admitted; the
   * first round is then prepared anew, with their results. `chat`: the request as it was prepared for the first round.
   */
  async *rounds(
    context: GatewayContext,
    [job, events]: readonly [ChatJob, Events],
    chat: ChatRequest,
    prepare: PrepareRound,
  ): AsyncGenerator<RoundEvent, void, undefined> {
    const options = this.#roundOptions(context, job, chat, prepare)
    if (!this.asksLater) {
      try {
        return yield* answerRounds({ ...options, first: () => Promise.resolve(events) })
      } finally {
        // Its reader may leave before it is read.
        await leaveAnswer(events)
      }
    }
    const { runOptions } = this.#given.options
    // The job without the results has served its purpose: it was checked.
    await leaveAnswer(events)
    await using _admitted = await runOptions.allowance?.openRequest(tokensOf(job))
    context.sessions.assertRoom(job.work.model.id, runOptions)
    yield* answerRounds(options)
  }

  #roundOptions(
    context: GatewayContext,
    job: ChatJob,
    chat: ChatRequest,
    prepare: PrepareRound,
  ): RoundOptions {
    const { request, dialogue, lists, pending, options } = this.#given
    const { runOptions, owner } = options
    const { tools: box, toolCalls, responses } = context
    const { signal } = job
    const turn = (stop: AbortSignal) => toolCalls.enter(runOptions.account, stop)
    const run = async (asked: ChatRequest, added: readonly RequestMessage[]) => {
      const next = await fitResults(added, (results) => prepare(asked, [...dialogue, ...results]))
      return runAnswer<ChatTypes>(context, next, { ...runOptions, isContinued: true })
    }
    const approvals: Approvals = {
      use: (id) => responses.use(id, owner, responseId(job)),
      giveBack: (id) => responses.giveBack(id, owner),
    }
    return {
      lists,
      approved: runApproved(pending, { box, signal, turn, approvals }),
      tools: this.tools,
      box,
      signal,
      turn,
      maxCalls: Math.min(request.max_tool_calls ?? MAX_CALLS, MAX_CALLS),
      first: (added) => run(chat, added),
      // What was demanded of the first round would never end.
      next: (added, isLast) => run({ ...chat, tool_choice: isLast ? 'none' : 'auto' }, added),
    }
  }
}
