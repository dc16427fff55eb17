/** The arguments of a whole call as an object. Those of a call that was cut are no JSON: then the call has none. */
export function callArguments(json: string): Record<string, unknown> {
  try {
    const value = JSON.parse(json) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
  } catch {
    return {}
  }
}
