/** A random id of 128 bits. `crypto.randomUUID` is missing on pages served over plain http from another machine. */
export function createId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

let lastTime = 0

/** The present time in milliseconds since 1970, never the same twice: messages keep their order by it. */
export function createTime(): number {
  lastTime = Math.max(Date.now(), lastTime + 1)
  return lastTime
}
