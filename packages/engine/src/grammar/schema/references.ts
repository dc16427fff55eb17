import { isSchema, schemaError, type SchemaDocument, type SchemaNode } from './schema-node.ts'

/** Resolves `$ref`: within the document, or to another document of the grammar by its name. */
export class References {
  readonly #documents: ReadonlyMap<string, SchemaDocument>
  readonly #anchors = new Map<SchemaDocument, ReadonlyMap<string, unknown>>()

  constructor(documents: ReadonlyMap<string, SchemaDocument>) {
    this.#documents = documents
  }

  /** @throws InvalidRequestError that names the reference. */
  resolve(reference: unknown, from: SchemaNode): SchemaNode {
    const { document } = from
    const place = { ...from, path: `${from.path}.$ref` }
    if (typeof reference !== 'string') throw schemaError(place, 'must be a text')
    const other = this.#documents.get(reference)
    if (other) return { schema: other.root, path: '$', document: other }

    const [base = '', fragment] = splitAtHash(reference)
    const start =
      base === '' || this.#isOwnId(base, document) ? document.root : this.#anchored(base, document)
    if (start === undefined) {
      throw schemaError(
        place,
        `must point into the schema itself, as "#/$defs/name"; got ${JSON.stringify(reference)}`,
      )
    }
    const target =
      fragment === '' || fragment.startsWith('/')
        ? byPointer(start, fragment, (problem) => schemaError(place, problem))
        : this.#anchored(`#${fragment}`, document)
    if (target === undefined) throw schemaError(place, `points to nothing: ${reference}`)
    return { schema: target, path: `#${fragment}`, document }
  }

  #isOwnId(base: string, { root }: SchemaDocument): boolean {
    const id = isSchema(root) ? (root.$id ?? root.id) : undefined
    return typeof id === 'string' && id.replace(/#$/, '') === base
  }

  #anchored(name: string, document: SchemaDocument): unknown {
    let anchors = this.#anchors.get(document)
    if (!anchors) this.#anchors.set(document, (anchors = anchorsOf(document.root)))
    return anchors.get(name)
  }
}

function splitAtHash(reference: string): readonly [string, string] {
  const hash = reference.indexOf('#')
  return hash === -1 ? [reference, ''] : [reference.slice(0, hash), reference.slice(hash + 1)]
}

/** Resolves a JSON pointer (RFC 6901) in the fragment of a URI. */
function byPointer(root: unknown, pointer: string, fail: (problem: string) => Error): unknown {
  let target: unknown = root
  for (const part of pointer.split('/').slice(1)) {
    const key = decoded(part, fail).replaceAll('~1', '/').replaceAll('~0', '~')
    target =
      target !== null && typeof target === 'object' && Object.hasOwn(target, key)
        ? Reflect.get(target, key)
        : undefined
  }
  return target
}

function decoded(part: string, fail: (problem: string) => Error): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw fail(`has an invalid escape: ${JSON.stringify(part)}; write a percent sign as %25`)
  }
}

/** Returns the parts of a document that have a name: `#anchor`, or their own `$id`. */
function anchorsOf(root: unknown): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>()
  const open: unknown[] = [root]
  for (let part = open.pop(); open.length > 0 || part !== undefined; part = open.pop()) {
    if (typeof part !== 'object' || part === null) continue
    const { $anchor, $id } = part as Record<string, unknown>
    if (typeof $anchor === 'string') found.set(`#${$anchor}`, part)
    if (typeof $id === 'string') found.set($id, part)
    open.push(...Object.values(part))
  }
  return found
}
