import { setTimeout } from 'node:timers/promises'
import type { ChatTemplate } from '../chat/chat-template.ts'
import type {
  Engine,
  GenerateOptions,
  Grammar,
  LoadOptions,
  Model,
  ModelCapabilities,
  ModelStatus,
} from '../engine.ts'
import { abortable } from '../abort.ts'
import type { GenerationParams, ModelSpec } from '../models/model-spec.ts'
import { ScriptedModel } from './scripted-model.ts'
import type { Continuation } from './scripted-script.ts'

/** One pass through the model: a prefill of `tokens` tokens, or one decoded token. */
export interface ScriptedStep {
  /** Index of the session, from 0, in the order in which the engine's sessions were opened. */
  readonly session: number
  /** Index of the step within one `generate`; 0 is the prefill. */
  readonly step: number
  readonly tokens: number
}

export interface ScriptedEngineOptions {
  /** Default `llama`: what `ModelSpec.engine` may say. */
  readonly name?: string | undefined
  /** What the model answers to a dialogue, given the rendered prompt up to the answer; default: endless letters. */
  readonly reply?: ((prompt: string) => string) | undefined
  /** The next token where no assistant turn is open (or `reply` is left out); default: endless letters. */
  readonly continuation?: Continuation | undefined
  /** What the model answers under a grammar; default: the simplest value that a JSON schema allows. */
  readonly grammarReply?: ((grammar: Grammar) => string) | undefined
  /** Default: the spec's dialogue, or a template with `<|user|>` and `<|assistant|>` tokens. */
  readonly chatTemplate?: ChatTemplate | undefined
  /** Default 2048 tokens. */
  readonly contextLength?: number | undefined
  /** Default: no limit. */
  readonly maxSessions?: number | undefined
  /** Default: all of them. */
  readonly capabilities?: Partial<ModelCapabilities> | undefined
  /** `Model.generation`; default: the model's files say nothing. */
  readonly generation?: GenerationParams | undefined
  /** Called with the options of every answer. */
  readonly onGenerate?: ((options: GenerateOptions) => void) | undefined
  /** Runs before every step: throw for a fault, wait for a slow model. */
  readonly beforeStep?: ((step: ScriptedStep) => void | Promise<void>) | undefined
  /** Default 0. */
  readonly stepDelayMs?: number | undefined
  /** Runs within every load: throw for a failing one, wait for a slow one. */
  readonly beforeLoad?: ((spec: ModelSpec, options: LoadOptions) => void | Promise<void>) | undefined
  readonly status?: (() => ModelStatus) | undefined
}

/**
 * A scripted engine (no model): bytes are tokens, and the next token is a pure function of the previous ones. It obeys
 * every rule of the contract (it passes `engineComplianceTests`), so that layers above can be tested against it in
 * milliseconds.
 *
 * ```ts
 * await using engine = new ScriptedEngine({ reply: () => 'Paris.', maxSessions: 2 })
 * const model = await engine.load(modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }))
 * ```
 */
export class ScriptedEngine implements Engine {
  readonly name: string
  readonly options: ScriptedEngineOptions
  readonly #models = new Set<ScriptedModel>()
  /** Counts for tests: loads begun, sessions opened so far, passes through the model. */
  loads = 0
  sessionsOpened = 0
  steps = 0

  constructor(options: ScriptedEngineOptions = {}) {
    this.name = options.name ?? 'llama'
    this.options = options
  }

  /** Sessions that are open now. */
  get openSessions(): number {
    return [...this.#models].reduce((total, model) => total + model.openSessions, 0)
  }

  async load(spec: ModelSpec, options: LoadOptions = {}): Promise<Model> {
    this.loads++
    options.signal?.throwIfAborted()
    await abortable(Promise.resolve(this.options.beforeLoad?.(spec, options)), options.signal)
    const model = new ScriptedModel(this, spec)
    this.#models.add(model)
    return model
  }

  /** Called by sessions. */
  async step(step: ScriptedStep, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { beforeStep, stepDelayMs = 0 } = this.options
    if (stepDelayMs > 0) await abortable(setTimeout(stepDelayMs), signal)
    await abortable(Promise.resolve(beforeStep?.(step)), signal)
    this.steps++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#models].map((model) => model[Symbol.asyncDispose]()))
    this.#models.clear()
  }
}
