import { setTimeout as sleep } from 'node:timers/promises'
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

/** The event loop is measured so often, and the first reading waits for so many measurements. */
const MEASURE_EVERY_MS = 10
const FIRST_MEASUREMENTS = 4

/**
 * Creates metrics with their own registry, together with those of the process (CPU, memory, event loop, garbage collection).
 * The same name always returns the same metric, so that modules can share one without knowing each other.
 */
export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new prometheus.Registry()
  let measuring: Promise<void> | undefined
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
      await (measuring ??= measureProcess(registry))
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}

/**
 * Measures the process from now on. To measure the event loop wakes the process a hundred times a second, between the pieces of
 * an answer, too: that begins when the metrics are read for the first time, and mostly they never are.
 */
async function measureProcess(registry: prometheus.Registry): Promise<void> {
  const { user, system } = process.cpuUsage()
  prometheus.collectDefaultMetrics({
    register: registry,
    eventLoopMonitoringPrecision: MEASURE_EVERY_MS,
  })
  // These count from here, and are to have counted from the start of the process.
  addSeconds(registry, 'process_cpu_user_seconds_total', user)
  addSeconds(registry, 'process_cpu_system_seconds_total', system)
  addSeconds(registry, 'process_cpu_seconds_total', user + system)
  // One long sleep would end together with the first measurement if something held the event loop up.
  for (let count = 0; count < FIRST_MEASUREMENTS; count++) await sleep(MEASURE_EVERY_MS)
}

function addSeconds(registry: prometheus.Registry, counter: string, microseconds: number): void {
  const known = registry.getSingleMetric(counter) as prometheus.Counter | undefined
  known?.inc(microseconds / 1e6)
}
