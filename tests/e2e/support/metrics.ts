/** Sessions that hold a place in an engine for a request or a socket right now, over all models. */
export async function sessionsInUse(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`, { headers })).text()
  const values = [...metrics.matchAll(/^petals_chat_sessions\{[^}]*state="leased"[^}]*\} (\d+)/gm)]
  if (values.length === 0) throw new Error('/metrics does not tell of sessions.')
  return values.reduce((sum, [, value]) => sum + Number(value), 0)
}
