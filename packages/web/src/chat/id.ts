/** Returns a random id of 128 bits. `crypto.randomUUID` is missing on pages served over plain http from another machine. */
export function createId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

let lastTime = 0

/** Returns the current time in milliseconds since 1970, but never the same value twice: messages are ordered by it. */
export function createTime(): number {
  lastTime = Math.max(Date.now(), lastTime + 1)
  return lastTime
}
