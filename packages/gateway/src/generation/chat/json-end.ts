/** Finds where a JSON object or list ends, in text that arrives in pieces: brackets are counted outside of strings. */
export class JsonEnd {
  #depth: number
  #inString = false
  #isEscaped = false

  /** @param depth - brackets that are open already */
  constructor(depth = 0) {
    this.#depth = depth
  }

  /** True between the quotes of a string. */
  get isInString(): boolean {
    return this.#inString
  }

  /** Returns the length of the piece up to the bracket that closes the first one, including it; undefined if it comes later. */
  find(piece: string): number | undefined {
    for (let index = 0; index < piece.length; index++) if (this.push(piece[index]!)) return index + 1
    return undefined
  }

  /** Returns true if the value ends with this character. */
  push(char: string): boolean {
    if (this.#isEscaped) this.#isEscaped = false
    else if (this.#inString && char === '\\') this.#isEscaped = true
    else if (char === '"') this.#inString = !this.#inString
    else if (this.#inString) return false
    else if (char === '{' || char === '[') this.#depth++
    else if (char === '}' || char === ']') return --this.#depth === 0
    return false
  }
}
