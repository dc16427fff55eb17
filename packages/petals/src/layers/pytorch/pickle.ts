/**
 * Reads the part of Python's pickle format that state dictionaries need, and refuses the rest. A pickle is a program that
 * can call any function of Python. This interpreter calls only the two hooks, which build plain data.
 * Opcodes: Lib/pickle.py of CPython.
 */

/** A class or function that the pickle names. */
export class PickleGlobal {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** Dictionaries become Maps, lists and tuples become arrays, None becomes null; other values are those of the hooks. */
export type PickleValue = unknown

export interface PickleHooks {
  /** Returns the result of calling `callee`. @throws to refuse it */
  call(callee: PickleGlobal, args: readonly PickleValue[]): PickleValue
  /** Returns the value of a persistent id: data that is stored beside the pickle. @throws to refuse it */
  load(id: PickleValue): PickleValue
}

/** The pickle is malformed, or does something that state dictionaries do not. */
export class PickleError extends Error {
  override readonly name = 'PickleError'
}

/** Reads bytes sequentially. */
class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  take(count: number): Uint8Array {
    const start = this.#advance(count)
    return this.#bytes.subarray(start, start + count)
  }
  uint8(): number {
    return this.#view.getUint8(this.#advance(1))
  }
  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }
  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }
  int32(): number {
    return this.#view.getInt32(this.#advance(4), true)
  }
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false)
  }
  text(byteLength: number): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.take(byteLength))
  }
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position)
    if (end === -1) throw new PickleError('it ends in the middle')
    const line = this.text(end - this.#position)
    this.#position = end + 1
    return line
  }

  #advance(count: number): number {
    const start = this.#position
    if (start + count > this.#bytes.length) throw new PickleError('it ends in the middle')
    this.#position = start + count
    return start
  }
}

const mark = Symbol('mark')

/** The stack machine that runs pickles. */
class PickleMachine {
  readonly input: ByteReader
  readonly hooks: PickleHooks
  readonly memo = new Map<number, PickleValue>()
  readonly #stack: PickleValue[] = []

  constructor(bytes: Uint8Array, hooks: PickleHooks) {
    this.input = new ByteReader(bytes)
    this.hooks = hooks
  }

  push(value: PickleValue): void {
    this.#stack.push(value)
  }

  pop(): PickleValue {
    const value = this.#stack.pop()
    if (value === undefined || value === mark) throw new PickleError('it takes a value from an empty stack')
    return value
  }

  top(): PickleValue {
    const value = this.pop()
    this.push(value)
    return value
  }

  popText(): string {
    const value = this.pop()
    if (typeof value === 'string') return value
    throw new PickleError('a name is not a string')
  }

  popMany(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse()
  }

  /** Removes and returns everything since the last mark. */
  popToMark(): PickleValue[] {
    const start = this.#stack.lastIndexOf(mark)
    if (start === -1) throw new PickleError('it takes a value from an empty stack')
    const values = this.#stack.splice(start)
    return values.slice(1)
  }

  /** Sets items of the dictionary on top of the stack. */
  setItems(items: readonly PickleValue[]): void {
    const target = this.top()
    if (!(target instanceof Map) || items.length % 2 === 1)
      throw new PickleError('it sets items of something that is not a dictionary')
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1])
  }

  append(values: readonly PickleValue[]): void {
    const target = this.top()
    if (!Array.isArray(target)) throw new PickleError('it appends to something that is not a list')
    for (const value of values) target.push(value)
  }

  remember(index: number): void {
    this.memo.set(index, this.top())
  }

  recall(index: number): void {
    if (!this.memo.has(index)) throw new PickleError('it uses a memo entry that does not exist')
    this.push(this.memo.get(index))
  }

  call(): void {
    const args = this.pop()
    const callee = this.pop()
    if (!Array.isArray(args) || !(callee instanceof PickleGlobal))
      throw new PickleError('it calls no function')
    this.push(this.hooks.call(callee, args))
  }
}

/** A little-endian two's complement integer of any length. */
function longOf(bytes: Uint8Array): number {
  let value = 0n
  bytes.forEach((byte, index) => (value |= BigInt(byte) << BigInt(8 * index)))
  const number = Number(BigInt.asIntN(8 * bytes.length, value))
  if (!Number.isSafeInteger(number)) throw new PickleError('a number is too large')
  return number
}

const letter = (character: string): number => character.charCodeAt(0)

const opcodes: ReadonlyMap<number, (machine: PickleMachine) => void> = new Map([
  // Framing: the version, and lengths of parts that are read as a whole anyway.
  [0x80, (m) => void m.input.take(1)],
  [0x95, (m) => void m.input.take(8)],
  // Atoms.
  [letter('N'), (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [letter('K'), (m) => m.push(m.input.uint8())],
  [letter('M'), (m) => m.push(m.input.uint16())],
  [letter('J'), (m) => m.push(m.input.int32())],
  [0x8a, (m) => m.push(longOf(m.input.take(m.input.uint8())))],
  [letter('G'), (m) => m.push(m.input.float64())],
  [0x8c, (m) => m.push(m.input.text(m.input.uint8()))],
  [letter('X'), (m) => m.push(m.input.text(m.input.uint32()))],
  // Containers.
  [letter('('), (m) => m.push(mark)],
  [letter('}'), (m) => m.push(new Map())],
  [letter(']'), (m) => m.push([])],
  [letter(')'), (m) => m.push([])],
  [letter('t'), (m) => m.push(m.popToMark())],
  [0x85, (m) => m.push(m.popMany(1))],
  [0x86, (m) => m.push(m.popMany(2))],
  [0x87, (m) => m.push(m.popMany(3))],
  [letter('a'), (m) => m.append(m.popMany(1))],
  [letter('e'), (m) => m.append(m.popToMark())],
  [letter('s'), (m) => m.setItems(m.popMany(2))],
  [letter('u'), (m) => m.setItems(m.popToMark())],
  // The memo.
  [letter('q'), (m) => m.remember(m.input.uint8())],
  [letter('r'), (m) => m.remember(m.input.uint32())],
  [0x94, (m) => m.remember(m.memo.size)],
  [letter('h'), (m) => m.recall(m.input.uint8())],
  [letter('j'), (m) => m.recall(m.input.uint32())],
  // Globals, persistent ids and calls.
  [letter('c'), (m) => m.push(new PickleGlobal(`${m.input.line()}.${m.input.line()}`))],
  [0x93, (m) => m.push(new PickleGlobal(m.popMany(2).join('.')))],
  [letter('Q'), (m) => m.push(m.hooks.load(m.pop()))],
  [letter('R'), (m) => m.call()],
  // Attributes of an object, which are not needed (of an OrderedDict: `_metadata`).
  [letter('b'), (m) => void m.pop()],
])

const stop = letter('.')

/** Reads the value of a pickle. @throws PickleError, and the errors of the hooks */
export function readPickle(bytes: Uint8Array, hooks: PickleHooks): PickleValue {
  const machine = new PickleMachine(bytes, hooks)
  for (;;) {
    const opcode = machine.input.uint8()
    if (opcode === stop) return machine.pop()
    const run = opcodes.get(opcode)
    if (!run)
      throw new PickleError(`it uses the opcode 0x${opcode.toString(16)}, which state dictionaries do not`)
    run(machine)
  }
}
