import { fileURLToPath } from 'node:url'
import {
  createTestGateway,
  type TestGateway,
  type TestGatewayOptions,
} from '../../../packages/gateway/src/fixtures/test-gateway.ts'

const webRoot = fileURLToPath(new URL('../../../packages/web/dist', import.meta.url))

export interface ScriptedChat extends AsyncDisposable {
  readonly url: string
  readonly engine: TestGateway['engine']
}

/** The built page behind the real gateway, whose model says what the test wants, to the letter. */
export async function startScriptedChat({
  specs = [{}],
  ...options
}: TestGatewayOptions): Promise<ScriptedChat> {
  const generation = { do_sample: false, max_new_tokens: 32_768 }
  const greedy = specs.map((spec) => ({ ...spec, generation }))
  const gateway = createTestGateway({ webRoot, contextLength: 32_768, specs: greedy, ...options })
  const { url } = await gateway.listen()
  return { url, engine: gateway.engine, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() }
}

/** A model that repeats the question. `pace` runs before each of its bytes. */
export const parrot = (pace: (step: number) => Promise<void>): TestGatewayOptions => ({
  reply: (prompt) => `You said: ${questionOf(prompt).slice(0, 100)}`,
  beforeStep: ({ step }) => pace(step),
  specs: [{ id: 'parrot', displayName: 'Parrot' }],
})

/** The last question of a prompt that a scripted model was given. */
export function questionOf(prompt: string): string {
  const start = prompt.lastIndexOf('<|user|>') + '<|user|>'.length
  return prompt.slice(start).replace(/<\|end\|>$/, '')
}
