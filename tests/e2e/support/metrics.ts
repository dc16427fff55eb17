/** The text of `/metrics`. */
export async function readMetrics(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  return (await fetch(`${url}/metrics`, { headers })).text()
}

/** The sum of the values of a metric with these labels, such as `state="idle"`. @throws if there are none. */
export function metricSum(metrics: string, name: string, ...labels: readonly string[]): number {
  const lines = metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  const own = lines.filter((line) => labels.every((label) => line.includes(label)))
  if (own.length === 0) throw new Error(`/metrics has no ${name} ${labels.join(' ')}`)
  return own.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** Sessions that hold a place in an engine for a request or a socket right now, over all models. */
export async function sessionsInUse(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  return metricSum(await readMetrics(url, headers), 'petals_chat_sessions', 'state="leased"')
}
