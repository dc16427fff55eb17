import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EventReader, type SentEvent } from './fixtures/event-reader.ts'
import { createTestApp, type TestApp } from './fixtures/test-app.ts'

const TABS = 3
const tab = fc.nat(TABS - 1)
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('read' as const), tab, count: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('cut' as const), tab }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('step' as const), count: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'cancel' as const }) },
)

/** An engine that makes a step only when the test allows it, so that other events can happen between any two steps. */
class Turnstile {
  #allowed = 1
  #wake = Promise.withResolvers<void>()

  allow(steps: number): void {
    this.#allowed += steps
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }

  readonly pass = async (): Promise<void> => {
    while (this.#allowed === 0) await this.#wake.promise
    this.#allowed -= 1
  }
}

/** A page that shows the answer, loses its connection, and resumes after its last event. */
class Tab {
  readonly #app: TestApp
  readonly #id: string
  readonly #earlier: SentEvent[] = []
  #reader: EventReader | undefined

  constructor(app: TestApp, id: string, reader?: EventReader) {
    this.#app = app
    this.#id = id
    this.#reader = reader
  }

  get events(): readonly SentEvent[] {
    return [...this.#earlier, ...(this.#reader?.events ?? [])]
  }

  async cut(): Promise<void> {
    await this.#reader?.cut()
    this.#earlier.push(...(this.#reader?.events ?? []))
    this.#reader = undefined
  }

  /** A read must not wait for a step that the test does not allow. */
  async read(count: number): Promise<void> {
    const reader = await this.#connected()
    await Promise.race([reader?.readTo(count), sleep(1)])
  }

  async readToEnd(): Promise<readonly SentEvent[]> {
    await (await this.#connected())?.rest()
    return this.events
  }

  async #connected(): Promise<EventReader | undefined> {
    if (this.#reader !== undefined) return this.#reader
    const after = this.events.at(-1)?.id ?? 0
    const response = await this.#app.get(`/v1/answers/${this.#id}/stream?after=${after}`)
    if (response.status === 204) return undefined
    expect(response.status).toBe(200)
    return (this.#reader = new EventReader(response))
  }
}

it('every tab gets every event of an answer once and in order, however tabs read, disconnect, resume and stop it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      const turnstile = new Turnstile()
      await using app = createTestApp({ reply: () => 'Grüße 😀! '.repeat(4), beforeStep: turnstile.pass })
      const asked = await app.post('/v1/chat/completions', {
        model: 'test',
        messages: [{ role: 'user', content: 'Hi' }],
        stream: true,
        resumable: true,
      })
      const id = asked.headers.get('x-answer-id')!
      const tabs = Array.from({ length: TABS }, (_, index) =>
        index === 0 ? new Tab(app, id, new EventReader(asked)) : new Tab(app, id),
      )
      for (const step of actions) {
        if (step.type === 'step') turnstile.allow(step.count)
        else if (step.type === 'cut') await tabs[step.tab]!.cut()
        else if (step.type === 'read') await tabs[step.tab]!.read(step.count)
        else await app.get(`/v1/answers/${id}/cancel`, { method: 'POST' })
      }
      turnstile.allow(1_000)
      const whole = await new Tab(app, id).readToEnd()
      expect(whole.map((event) => event.id)).toEqual(whole.map((_, index) => `${id}:${index + 1}`))
      const isCancelled = actions.some(({ type }) => type === 'cancel')
      if (!isCancelled) expect(whole.at(-1)?.data).toBe('[DONE]')
      for (const one of tabs) expect(await one.readToEnd()).toEqual(whole)
      expect(app.engine.sessionsOpened).toBe(1)
      expect(await (await app.get('/metrics')).text()).toContain(
        'petals_chat_resumable_answers{state="running"} 0',
      )
    }),
    { numRuns: 50 },
  )
})
