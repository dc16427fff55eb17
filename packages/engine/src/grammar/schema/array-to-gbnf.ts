import { boundedRepeat } from '../gbnf/bounded-repeat.ts'
import { enumerated, literals } from './enumeration.ts'
import type { Place, SchemaContext } from './schema-context.ts'
import {
  limitsOf,
  nodeAt,
  type PlainNode,
  schemaError,
  type SchemaNode,
  Unsatisfiable,
} from './schema-node.ts'

/** Lists of this many distinct values are allowed in any order, longer ones in the order of the schema: each value doubles the rules. */
const MAX_SHUFFLED = 6
const MAX_DISTINCT = 200

/** Returns an expression for the arrays that all the schemas allow. */
export function arrayBody(context: SchemaContext, plain: readonly PlainNode[], place: Place): string {
  const limits = limitsOf(plain, ['minItems', 'maxItems'])
  const list = new ListShape(context, plain, place)
  const least = Math.max(limits.minimum, list.contained)
  if (least > (limits.maximum ?? Infinity)) throw new Unsatisfiable(plain[0]!, 'contains more than maxItems')
  const isUnique =
    plain.some(({ schema }) => schema.uniqueItems === true) && limits.maximum !== 1 && limits.maximum !== 0
  if (isUnique) {
    const distinct = list.distinct(least, limits.maximum)
    if (distinct !== undefined) return distinct
    context.cannot(
      plain.find(({ schema }) => schema.uniqueItems === true)!,
      'uniqueItems',
      'can only be enforced where the items are an enumeration',
    )
  }
  return list.write(least, limits.maximum)
}

class ListShape {
  readonly #context: SchemaContext
  readonly #plain: readonly PlainNode[]
  readonly #place: Place
  /** The number of leading items that `contains` requires. */
  readonly contained: number

  constructor(context: SchemaContext, plain: readonly PlainNode[], place: Place) {
    this.#context = context
    this.#plain = plain
    this.#place = place
    this.contained = Math.max(0, ...plain.map((node) => this.#containedOf(node)))
  }

  /** The grammar places the items that a list must contain at its front. */
  #containedOf(node: PlainNode): number {
    const { contains, minContains = 1, maxContains } = node.schema
    if (contains === undefined) return 0
    if (maxContains !== undefined) this.#context.cannot(node, 'maxContains')
    const count = Number(minContains)
    if (count <= 50) return count
    this.#context.cannot(node, 'minContains', 'can be enforced up to 50')
    return 0
  }

  /** Writes the lists of `minimum` to `maximum` items. */
  write(minimum: number, maximum: number | undefined): string {
    const ws = this.#context.rules.json('ws')
    const fixed = this.#fixedItems(maximum)
    const further =
      fixed.isComplete && (maximum ?? Infinity) > fixed.items.length ? this.#furtherItem() : undefined
    if (fixed.items.length === 0) return this.#plainList(further, minimum, maximum)
    const least = Math.max(0, minimum - fixed.items.length)
    if (further === undefined && least > 0)
      throw new Unsatisfiable(this.#plain[0]!, 'has fewer items than minItems')
    const front = fixed.items.join(` "," ${ws} `)
    if (further === undefined) return `"[" ${ws} ${front} ${ws} "]"`
    const most = maximum === undefined ? undefined : maximum - fixed.items.length
    return `"[" ${ws} ${front} ${this.#more(further, least, most)} ${ws} "]"`
  }

  #plainList(item: string | undefined, minimum: number, maximum: number | undefined): string {
    const ws = this.#context.rules.json('ws')
    if (item === undefined) {
      if (minimum > 0) throw new Unsatisfiable(this.#plain[0]!, 'requires items, but none are allowed')
      return `"[" ${ws} "]"`
    }
    const more = this.#more(item, Math.max(0, minimum - 1), maximum === undefined ? undefined : maximum - 1)
    const items = `${item} ${more} ${ws}`
    return minimum === 0 ? `"[" ${ws} ( ${items} )? "]"` : `"[" ${ws} ${items} "]"`
  }

  #more(item: string, minimum: number, maximum: number | undefined): string {
    const { rules } = this.#context
    return boundedRepeat(rules, `( "," ${rules.json('ws')} ${item} )`, minimum, maximum)
  }

  /** Returns the items that have their own schema. If no value fits one of them, the list ends before it. */
  #fixedItems(maximum = Infinity): { readonly items: readonly string[]; readonly isComplete: boolean } {
    const count = Math.max(this.contained, ...this.#plain.map((node) => tupleOf(node).length))
    const items: string[] = []
    for (let index = 0; index < Math.min(count, maximum); index++) {
      try {
        items.push(this.#item(index))
      } catch (error) {
        if (!(error instanceof Unsatisfiable) || index < this.contained) throw error
        return { items, isComplete: false }
      }
    }
    return { items, isComplete: true }
  }

  #item(index: number): string {
    const nodes = this.#plain.flatMap((node) => itemAt(node, index, this.contained))
    return this.#context.convertInside(nodes, this.#place)
  }

  /** Returns the item of the rest of the list. There is a rest only if the schema declares one, or declares no items at all. */
  #furtherItem(): string | undefined {
    const tuples = this.#plain.map(tupleOf)
    const isOpen =
      tuples.every((tuple) => tuple.length === 0) || this.#plain.some((node) => restOf(node) !== undefined)
    if (!isOpen) return undefined
    try {
      return this.#item(Math.max(this.contained, ...tuples.map((tuple) => tuple.length)))
    } catch (error) {
      if (error instanceof Unsatisfiable) return undefined
      throw error
    }
  }

  /** Writes lists of distinct values; undefined if the items are not an enumeration. */
  distinct(minimum: number, maximum: number | undefined): string | undefined {
    if (this.contained > 0 || this.#plain.some((node) => tupleOf(node).length > 0)) return undefined
    const values = itemValues(this.#context, this.#plain)
    if (!values || values.length > MAX_DISTINCT) return undefined
    const most = Math.min(maximum ?? Infinity, values.length)
    if (minimum > most) throw new Unsatisfiable(this.#plain[0]!, 'requires more distinct items than exist')
    const ws = this.#context.rules.json('ws')
    const list = new DistinctList(this.#context, values, minimum, most)
    return `"[" ${ws} ${list.write()} ${ws} "]"`
  }
}

/** Lists of distinct literals: in any order if there are few, otherwise in the order of the schema. */
class DistinctList {
  readonly #context: SchemaContext
  readonly #values: readonly string[]
  readonly #minimum: number
  readonly #maximum: number
  readonly #known = new Map<string, string>()

  constructor(context: SchemaContext, values: readonly string[], minimum: number, maximum: number) {
    this.#context = context
    this.#values = values
    this.#minimum = minimum
    this.#maximum = maximum
  }

  write(): string {
    return this.#after([...this.#values.keys()], 0)
  }

  /** `left` has the indexes of the values that have not been used yet. */
  #after(left: readonly number[], total: number): string {
    // Without a maximum below the number of values, all counts from the minimum on are equivalent.
    const count = this.#maximum < this.#values.length ? total : Math.min(total, Math.max(1, this.#minimum))
    const key = `${count},${left.join()}`
    const known = this.#known.get(key)
    if (known) return known
    const ways = [...this.#ways(left, count), ...(count >= this.#minimum ? ['""'] : [])]
    const name = this.#context.rules.add('distinct', ways.join(' | '))
    this.#known.set(key, name)
    return name
  }

  #ways(left: readonly number[], count: number): readonly string[] {
    const [place] = left
    if (place === undefined || count === this.#maximum || left.length + count < this.#minimum) return []
    const take = (taken: number, rest: readonly number[]) =>
      `${count === 0 ? '' : `"," ${this.#context.rules.json('ws')} `}${this.#values[taken]!} ${this.#after(rest, count + 1)}`
    if (this.#values.length <= MAX_SHUFFLED)
      return left.map((taken) =>
        take(
          taken,
          left.filter((each) => each !== taken),
        ),
      )
    const canSkip = left.length > 1 && left.length - 1 + count >= this.#minimum
    return [take(place, left.slice(1)), ...(canSkip ? [this.#after(left.slice(1), count)] : [])]
  }
}

/** Returns the leading items: `prefixItems`, or the list in `items` of drafts before 2020. */
function tupleOf(node: PlainNode): readonly unknown[] {
  const { prefixItems, items } = node.schema
  const tuple = prefixItems ?? (Array.isArray(items) ? items : [])
  if (Array.isArray(tuple)) return tuple as unknown[]
  throw schemaError(nodeAt(node, 'prefixItems', tuple), 'must be a list of schemas')
}

/** Returns the schema of the items after the leading ones. */
function restOf({ schema }: PlainNode): unknown {
  const { items, additionalItems, unevaluatedItems } = schema
  return (Array.isArray(items) ? additionalItems : items) ?? unevaluatedItems
}

function itemAt(node: PlainNode, index: number, contained: number): readonly SchemaNode[] {
  const tuple = tupleOf(node)
  const { contains, minContains = 1 } = node.schema
  const front = contains !== undefined && index < Math.min(contained, Number(minContains))
  const own =
    index < tuple.length
      ? nodeAt(node, `prefixItems[${index}]`, tuple[index])
      : nodeAt(node, 'items', restOf(node) ?? true)
  return front ? [own, nodeAt(node, 'contains', contains)] : [own]
}

/** Returns the texts of the items if they are an enumeration or booleans. */
function itemValues(context: SchemaContext, plain: readonly PlainNode[]): readonly string[] | undefined {
  const nodes = context.plainOf(plain.flatMap((node) => itemAt(node, 0, 0)))
  if (!nodes) return undefined
  const values = enumerated(context, nodes)
  if (values) return literals(values)
  return nodes.some(({ schema }) => schema.type === 'boolean') ? literals([true, false]) : undefined
}
