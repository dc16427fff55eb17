/** Label names and values of one measurement; few distinct values each (a model id, a route; never a request id). */
export type MetricLabels = Readonly<Record<string, string>>

/** The name and meaning of a metric. Names follow Prometheus: snake case, unit last (`_seconds`, `_total`). */
export interface MetricDescription {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

export interface Counter {
  add(value: number, labels?: MetricLabels): void
}
export interface Gauge {
  set(value: number, labels?: MetricLabels): void
}
export interface Histogram {
  observe(value: number, labels?: MetricLabels): void
}

/** Receives the measurements of a package. The gateway implements it with Prometheus; `silentMetrics` drops them. */
export interface Metrics {
  counter(description: MetricDescription): Counter
  gauge(description: MetricDescription): Gauge
  histogram(description: MetricDescription & { readonly buckets: readonly number[] }): Histogram
}

/** The default metrics, which drop everything. */
export const silentMetrics: Metrics = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {} }),
  histogram: () => ({ observe: () => {} }),
}
