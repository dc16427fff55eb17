/** Counts brackets outside of strings, to find the end of a JSON value that has begun. */
export class JsonSkipper {
  #depth = 0
  #inString = false
  #isEscaped = false

  /** Whether the value ends with this character. */
  push(char: string): boolean {
    if (this.#isEscaped) this.#isEscaped = false
    else if (this.#inString && char === '\\') this.#isEscaped = true
    else if (char === '"') this.#inString = !this.#inString
    else if (this.#inString) return false
    else if (char === '{' || char === '[') this.#depth++
    else if ((char === '}' || char === ']') && --this.#depth <= 0) return true
    return false
  }
}
