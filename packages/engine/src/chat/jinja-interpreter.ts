import { Environment, Interpreter, Template } from '@huggingface/jinja'
import { InvalidRequestError } from '../errors.ts'
import { strftime } from './strftime.ts'

/** The parts of the library that are used here. Its own declarations don't resolve under `nodenext` (imports without extension). */
interface JinjaNode {
  readonly type: string
}
interface JinjaValue {
  readonly value: unknown
}
interface JinjaScope {
  set(name: string, value: unknown): unknown
}
interface JinjaInterpreter {
  readonly global: JinjaScope
  run(program: Program): JinjaValue
  evaluate(node: JinjaNode | undefined, scope: JinjaScope): JinjaValue
}
/** A template's syntax tree. */
export type Program = JinjaNode

const createScope = () => new (Environment as unknown as new () => JinjaScope)()
const BaseInterpreter = Interpreter as unknown as new (scope: JinjaScope) => JinjaInterpreter

/**
 * Limit of one rendering in evaluated nodes: about a second of CPU time. A dialogue of 400 turns takes less than a tenth
 * of it in the longest templates. A template comes with a model's files and is not trusted.
 */
export const MAX_RENDER_STEPS = 5_000_000
/** Longest text, in UTF-16 units, that a template may build at any moment. */
export const MAX_RENDER_LENGTH = 16 * 1024 * 1024
/** One turn of a `for` loop makes a scope and a dozen values before its body is evaluated. */
const STEPS_PER_LOOP_TURN = 10

/** Thrown by `raise_exception` in a template. Its message is the template's, for the author of the messages. */
class TemplateRefusal extends Error {}

/** Returns whether `renderTemplate` threw this error because the template itself refuses the messages. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof TemplateRefusal
}

/** Parses a template. @throws Error with the parser's message */
export function parseTemplate(template: string): Program {
  return new Template(template).parsed as Program
}

/** Runs a template in an interpreter with limits: no `eval`, no access to anything but `variables`. @throws InvalidRequestError */
export function renderTemplate(program: Program, variables: Readonly<Record<string, unknown>>): string {
  try {
    const interpreter = new BoundedInterpreter()
    for (const [name, value] of Object.entries(variables)) interpreter.global.set(name, value)
    return String(interpreter.run(program).value)
  } catch (error) {
    throw asInvalidRequest(error)
  }
}

class BoundedInterpreter extends BaseInterpreter {
  readonly #loopSources = new WeakSet<object>()
  #stepsLeft = MAX_RENDER_STEPS

  constructor() {
    super(createScope())
    const globals = {
      true: true,
      false: false,
      none: null,
      True: true,
      False: false,
      None: null,
      raise_exception: (message: unknown) => {
        throw new TemplateRefusal(String(message))
      },
      strftime_now: (format: unknown) => strftime(new Date(), String(format)),
      range: (...bounds: readonly number[]) => this.#range(bounds),
    }
    for (const [name, value] of Object.entries(globals)) this.global.set(name, value)
  }

  override evaluate(node: JinjaNode | undefined, scope: JinjaScope): JinjaValue {
    this.#charge(1)
    if (node?.type === 'For') this.#loopSources.add(loopSource(node))
    const value = super.evaluate(node, scope)
    this.#charge(costOf(value, node !== undefined && this.#loopSources.has(node)))
    return value
  }

  #charge(steps: number): void {
    this.#stepsLeft -= steps
    if (this.#stepsLeft < 0) throw new Error(`it takes more than ${MAX_RENDER_STEPS} steps`)
  }

  /** Python's `range`. Its numbers are charged as steps before they are created. */
  #range(bounds: readonly number[]): number[] {
    const [start, stop, step] =
      bounds.length === 1 ? [0, bounds[0]!, 1] : [bounds[0]!, bounds[1]!, bounds[2] ?? 1]
    if (![start, stop, step].every(Number.isSafeInteger) || step === 0)
      throw new Error('range needs integers, and a step other than 0')
    const length = Math.max(0, Math.ceil((stop - start) / step))
    this.#charge(length)
    return Array.from({ length }, (_, index) => start + index * step)
  }
}

/** Returns the expression that a `for` node loops over. The interpreter does not call `evaluate` for each turn of the loop. */
function loopSource(node: JinjaNode): object {
  const { iterable } = node as unknown as {
    readonly iterable: { readonly type: string; readonly lhs?: object }
  }
  return iterable.type === 'SelectExpression' && iterable.lhs ? iterable.lhs : iterable
}

/** Returns the cost in steps of creating or iterating over a value: about the cost of copying it. */
function costOf(value: JinjaValue, isLoopSource: boolean): number {
  const content: unknown = value.value
  if (typeof content === 'string') {
    if (content.length > MAX_RENDER_LENGTH)
      throw new Error(`its text gets longer than ${MAX_RENDER_LENGTH} characters`)
    return content.length >>> 8
  }
  const size = Array.isArray(content) ? content.length : content instanceof Map ? content.size : 0
  return isLoopSource ? size * STEPS_PER_LOOP_TURN : size >>> 4
}

function asInvalidRequest(error: unknown): InvalidRequestError {
  const reason = error instanceof Error ? error.message : String(error)
  const message =
    error instanceof TemplateRefusal
      ? `The model's chat template refuses these messages: ${reason}`
      : `The model's chat template can't render these messages: ${reason}.`
  return new InvalidRequestError(message, { param: 'messages', cause: error })
}
