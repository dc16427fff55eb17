import { Environment, Interpreter, Template } from '@huggingface/jinja'
import { InvalidRequestError } from '../errors.ts'
import { TimeLimit } from '../time-limit.ts'
import { replacedLength, resultLength, searchSteps, type JinjaValue } from './jinja-search-cost.ts'
import { strftime } from './strftime.ts'

/** The parts of the library that are used here. Its own declarations don't resolve under `nodenext` (imports without extension). */
interface JinjaNode {
  readonly type: string
}
interface JinjaScope {
  set(name: string, value: unknown): unknown
}
interface JinjaInterpreter {
  readonly global: JinjaScope
  run(tree: JinjaNode): JinjaValue
  evaluate(node: JinjaNode | undefined, scope: JinjaScope): JinjaValue
  /** This method and the next ones are private in the library's declarations. The version is pinned; tests hold their behaviour. */
  evaluateBinaryExpression(node: JinjaNode, scope: JinjaScope): JinjaValue
  evaluateMemberExpression(node: JinjaNode, scope: JinjaScope): JinjaValue
  evaluateArguments(
    args: readonly JinjaNode[],
    scope: JinjaScope,
  ): readonly [positional: readonly JinjaValue[], named: ReadonlyMap<string, JinjaValue>]
  applyFilter(operand: JinjaValue, filter: JinjaNode, scope: JinjaScope): JinjaValue
}

/** A template's syntax tree, and the time that its renderings may take. */
export interface Program {
  readonly tree: JinjaNode
  readonly limit: TimeLimit
}

const createScope = () => new (Environment as unknown as new () => JinjaScope)()
const BaseInterpreter = Interpreter as unknown as new (scope: JinjaScope) => JinjaInterpreter

/**
 * Limit of one rendering in evaluated nodes: about a second of CPU time. A dialogue of 400 turns takes less than a tenth
 * of it in the longest templates. A template comes with a model's files and is not trusted.
 */
export const MAX_RENDER_STEPS = 5_000_000
/** Longest text, in UTF-16 units, that a template may build at any moment. */
export const MAX_RENDER_LENGTH = 16 * 1024 * 1024
/** The longest known templates have 25,000 characters. */
const MAX_TEMPLATE_LENGTH = 256 * 1024
/** Of one rendering or of reading a template. The steps end most of the renderings before, on a machine that is not busy. */
const MAX_RENDER_MS = 3000
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
  if (template.length > MAX_TEMPLATE_LENGTH)
    throw new Error(`it has ${template.length} characters; at most ${MAX_TEMPLATE_LENGTH} are allowed`)
  const limit = new TimeLimit(MAX_RENDER_MS)
  return { tree: limit.run(() => new Template(template).parsed as JinjaNode), limit }
}

/** Runs a template in an interpreter with limits: no `eval`, no access to anything but `variables`. @throws InvalidRequestError */
export function renderTemplate(
  { tree, limit }: Program,
  variables: Readonly<Record<string, unknown>>,
): string {
  try {
    return limit.run(() => {
      const interpreter = new BoundedInterpreter()
      for (const [name, value] of Object.entries(variables)) interpreter.global.set(name, value)
      return String(interpreter.run(tree).value)
    })
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
    if (node instanceof Evaluated) return node.value
    this.#charge(1)
    if (node?.type === 'For') this.#loopSources.add(loopSource(node))
    const value = super.evaluate(node, scope)
    this.#charge(costOf(value, node !== undefined && this.#loopSources.has(node)))
    return value
  }

  override evaluateBinaryExpression(node: JinjaNode, scope: JinjaScope): JinjaValue {
    const { operator, left, right } = node as BinaryNode
    if (operator.value !== 'in' && operator.value !== 'not in')
      return super.evaluateBinaryExpression(node, scope)
    const needle = this.evaluate(left, scope)
    const haystack = this.evaluate(right, scope)
    this.#chargeSearch(haystack, needle)
    return super.evaluateBinaryExpression(
      { ...node, left: new Evaluated(needle), right: new Evaluated(haystack) } as JinjaNode,
      scope,
    )
  }

  /** The methods of a text that search in it are charged when they are called. */
  override evaluateMemberExpression(node: JinjaNode, scope: JinjaScope): JinjaValue {
    const object = this.evaluate((node as MemberNode).object, scope)
    const member = super.evaluateMemberExpression(
      { ...node, object: new Evaluated(object) } as JinjaNode,
      scope,
    )
    if (typeof object.value !== 'string' || member.type !== 'FunctionValue') return member
    const call = member.value as JinjaFunction
    const charged: JinjaFunction = (args, scopeOfCall) => {
      this.#chargeCall(object, args)
      return call(args, scopeOfCall)
    }
    return new (member.constructor as new (value: JinjaFunction) => JinjaValue)(charged)
  }

  override applyFilter(operand: JinjaValue, filter: JinjaNode, scope: JinjaScope): JinjaValue {
    const { callee, args } = filter as FilterNode
    if (filter.type !== 'CallExpression' || !boundedFilters.has(callee.value))
      return super.applyFilter(operand, filter, scope)
    const [positional, named] = this.evaluateArguments(args, scope)
    const values = [...positional, ...named.values()]
    if (callee.value === 'replace') this.#chargeCall(operand, values)
    if (resultLength(callee.value, operand, values) > MAX_RENDER_LENGTH) throw tooLong()
    const evaluated = [
      ...positional.map((value) => new Evaluated(value)),
      ...Array.from(named, ([key, value]) => namedArgument(key, new Evaluated(value))),
    ]
    return super.applyFilter(operand, { ...filter, args: evaluated } as JinjaNode, scope)
  }

  /** Charges `split` and `replace`, and the other methods as if they searched, too: their arguments are short. */
  #chargeCall(text: JinjaValue, args: readonly JinjaValue[]): void {
    for (const argument of args) this.#chargeSearch(text, argument)
    const [old, replacement] = args.map(({ value }) => value)
    if (typeof text.value !== 'string' || typeof old !== 'string' || typeof replacement !== 'string') return
    if (replacedLength(text.value, old, replacement) > MAX_RENDER_LENGTH) throw tooLong()
  }

  #chargeSearch({ value: haystack }: JinjaValue, { value: needle }: JinjaValue): void {
    if (typeof haystack === 'string' && typeof needle === 'string')
      this.#charge(searchSteps(haystack, needle))
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

type JinjaFunction = (args: readonly JinjaValue[], scope: JinjaScope) => JinjaValue

interface BinaryNode extends JinjaNode {
  readonly operator: { readonly value: string }
  readonly left: JinjaNode
  readonly right: JinjaNode
}
interface MemberNode extends JinjaNode {
  readonly object: JinjaNode
}
interface FilterNode extends JinjaNode {
  readonly callee: { readonly value: string }
  readonly args: readonly JinjaNode[]
}

/** Filters whose work or result can be much longer than their input. */
const boundedFilters: ReadonlySet<string> = new Set(['replace', 'join', 'indent', 'tojson'])

/** An expression that has been evaluated already. */
class Evaluated implements JinjaNode {
  readonly type = 'Evaluated'
  readonly value: JinjaValue

  constructor(value: JinjaValue) {
    this.value = value
  }
}

const namedArgument = (key: string, value: Evaluated) =>
  ({ type: 'KeywordArgumentExpression', key: { value: key }, value }) as JinjaNode

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
    if (content.length > MAX_RENDER_LENGTH) throw tooLong()
    return content.length >>> 8
  }
  const size = Array.isArray(content) ? content.length : content instanceof Map ? content.size : 0
  return isLoopSource ? size * STEPS_PER_LOOP_TURN : size >>> 4
}

const tooLong = (): Error => new Error(`its text gets longer than ${MAX_RENDER_LENGTH} characters`)

/** Some errors quote the texts that they are about. */
const MAX_REASON_LENGTH = 500

function asInvalidRequest(error: unknown): InvalidRequestError {
  const reason = (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_LENGTH)
  const message =
    error instanceof TemplateRefusal
      ? `The model's chat template refuses these messages: ${reason}`
      : `The model's chat template can't render these messages: ${reason}.`
  return new InvalidRequestError(message, { param: 'messages', cause: error })
}
