import { greedy, type Session, type TokenId } from '@petals-chat/engine'
import { chatsAtOnce } from './crowd.ts'
import type { FaultHarness } from './fault-harness.ts'

const story =
  'Once upon a time there was a little dragon who lived in a cave near a small village. The dragon liked to '
/** Tokens of each answer. */
const newTokens = 20
/** Where the edited prompt begins to differ: more than servers are asked for whether they can rewind. */
const sharedTokens = 70

/** The answers of one dialogue: to a prompt, the same once more, to an edited prompt, and to what follows it. */
export type RewindingAnswers = readonly (readonly TokenId[])[]

export interface RewindingRun {
  readonly dialogues: number
  readonly identical: number
  readonly failovers: number
}

async function take(session: Session, tokens: readonly TokenId[], onToken: () => void): Promise<TokenId[]> {
  const ids: TokenId[] = []
  for await (const { token } of session.generate(tokens, { sampling: greedy })) {
    ids.push(token)
    onToken()
    if (ids.length === newTokens) break
  }
  return ids
}

/** Asks, asks for another answer, edits the prompt and goes on: each time the session keeps what the texts have in common. */
async function dialogue(
  session: Session,
  harness: FaultHarness,
  onToken: () => void,
): Promise<RewindingAnswers> {
  const { tokenizer } = harness.subject.model
  const encode = (text: string): readonly TokenId[] => tokenizer.encode(text, { addSpecialTokens: false })
  const prompt = encode(story.repeat(4))
  const first = await take(session, prompt, onToken)
  await session.truncate(prompt.length - 1)
  const again = await take(session, prompt.slice(-1), onToken)
  await session.truncate(sharedTokens)
  const edited = await take(session, encode('Then a big bird came and said'), onToken)
  const more = await take(session, [...edited.slice(-1), ...encode('One day')], onToken)
  return [first, again, edited, more]
}

/** Runs dialogues at once. `strike` is called for each token of any of them, with the number of all so far. */
export async function rewindingDialogues(
  harness: FaultHarness,
  chats: number,
  strike: (tokens: number, session: Session) => void = () => {},
): Promise<{ readonly answers: readonly RewindingAnswers[]; readonly failovers: number }> {
  let tokens = 0
  let failovers = 0
  const run = async (): Promise<RewindingAnswers> => {
    await using session = await harness.subject.model.openSession({ maxLength: 256 })
    const answers = await dialogue(session, harness, () => strike(++tokens, session))
    failovers += session.route!().failovers.length
    return answers
  }
  const answers = await Promise.all(Array.from({ length: chats }, run))
  return { answers, failovers }
}

/** Kills a server of the first span in the first half of the dialogues, and one of the second span in the second half. */
export async function rewindingRun(harness: FaultHarness): Promise<RewindingRun> {
  const { answers: undisturbed } = await rewindingDialogues(harness, 1)
  const all = chatsAtOnce * undisturbed[0]!.flat().length
  const kills = new Map([0, 1].map((hop) => [Math.floor(all * (hop / 2 + harness.random() / 3)) + 1, hop]))
  const { answers, failovers } = await rewindingDialogues(harness, chatsAtOnce, (tokens, session) => {
    const hop = kills.get(tokens)
    if (hop !== undefined) harness.kill(harness.serverOf(session, hop))
  })
  await harness.repaired()
  const expected = JSON.stringify(undisturbed[0])
  const isRegenerated = undisturbed[0]![0]!.join() === undisturbed[0]![1]!.join()
  const identical = answers.filter((each) => isRegenerated && JSON.stringify(each) === expected).length
  return { dialogues: answers.length, identical, failovers }
}
