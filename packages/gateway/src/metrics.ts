import type { Counter, Gauge, Histogram, MetricDescription, MetricLabels, Metrics } from '@petals-chat/engine'
import * as prometheus from 'prom-client'

/** Metrics that can be rendered as Prometheus text. */
export interface PrometheusMetrics extends Metrics {
  render(): Promise<RenderedMetrics>
}

export interface RenderedMetrics {
  readonly contentType: string
  readonly body: string
}

/**
 * Creates metrics with their own registry, together with those of the process (CPU, memory, event loop, garbage collection).
 * The same name always returns the same metric, so that modules can share one without knowing each other.
 */
export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new prometheus.Registry()
  prometheus.collectDefaultMetrics({ register: registry })
  const known = new Map<string, Counter | Gauge | Histogram>()

  const once = <Kind extends Counter | Gauge | Histogram>(name: string, create: () => Kind): Kind => {
    const metric = (known.get(name) as Kind | undefined) ?? create()
    known.set(name, metric)
    return metric
  }
  const configOf = ({ name, help, labels = [] }: MetricDescription) => ({
    name,
    help,
    labelNames: labels,
    registers: [registry],
  })

  return {
    counter: (description) =>
      once(description.name, () => {
        const counter = new prometheus.Counter(configOf(description))
        return { add: (value: number, labels: MetricLabels = {}) => counter.inc(labels, value) }
      }),
    gauge: (description) =>
      once(description.name, () => {
        const gauge = new prometheus.Gauge(configOf(description))
        return { set: (value: number, labels: MetricLabels = {}) => gauge.set(labels, value) }
      }),
    histogram: (description) =>
      once(description.name, () => {
        const histogram = new prometheus.Histogram({
          ...configOf(description),
          buckets: [...description.buckets],
        })
        return { observe: (value: number, labels: MetricLabels = {}) => histogram.observe(labels, value) }
      }),
    async render() {
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}
