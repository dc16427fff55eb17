import perfHooks from 'node:perf_hooks'
import { expect, it, vi } from 'vitest'
import { createPrometheusMetrics } from './metrics.ts'

it('renders counters, gauges and histograms with their labels', async () => {
  const metrics = createPrometheusMetrics()
  metrics.counter({ name: 'test_total', help: 'A counter.', labels: ['model'] }).add(2, { model: 'a"b' })
  metrics.gauge({ name: 'test_gauge', help: 'A gauge.' }).set(-1.5)
  metrics.histogram({ name: 'test_seconds', help: 'A histogram.', buckets: [1, 2] }).observe(1.5)
  const { contentType, body } = await metrics.render()
  expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(body).toContain(
    '# HELP test_total A counter.\n# TYPE test_total counter\ntest_total{model="a\\"b"} 2\n',
  )
  expect(body).toContain('test_gauge -1.5\n')
  expect(body).toContain('test_seconds_bucket{le="1"} 0\ntest_seconds_bucket{le="2"} 1\n')
})

const valueOf = (body: string, name: string): number =>
  Number(new RegExp(`^${name} (.+)$`, 'm').exec(body)?.[1])

it('tells of the process, from its start, at the first reading', async () => {
  const { user, system } = process.cpuUsage()
  const { body } = await createPrometheusMetrics().render()
  expect(valueOf(body, 'process_cpu_user_seconds_total')).toBeGreaterThanOrEqual(user / 1e6)
  expect(valueOf(body, 'process_cpu_system_seconds_total')).toBeGreaterThanOrEqual(system / 1e6)
  expect(valueOf(body, 'process_cpu_seconds_total')).toBeGreaterThanOrEqual((user + system) / 1e6)
  expect(valueOf(body, 'process_resident_memory_bytes')).toBeGreaterThan(0)
  for (const name of ['min', 'mean', 'p99']) {
    const lag = valueOf(body, `nodejs_eventloop_lag_${name}_seconds`)
    expect(lag).toBeGreaterThan(0)
    // What a histogram without a measurement says is 292 years.
    expect(lag).toBeLessThan(3600)
  }
})

it('wakes the process to measure its event loop only once the metrics are read, and then once', async () => {
  const measure = vi.spyOn(perfHooks, 'monitorEventLoopDelay')
  try {
    const metrics = createPrometheusMetrics()
    metrics.counter({ name: 'test_total', help: 'A counter.' }).add(1)
    expect(measure).not.toHaveBeenCalled()
    await Promise.all([metrics.render(), metrics.render()])
    await metrics.render()
    expect(measure).toHaveBeenCalledOnce()
  } finally {
    measure.mockRestore()
  }
})

it('gives the same metric for the same name', async () => {
  const metrics = createPrometheusMetrics()
  for (let i = 0; i < 2; i++) metrics.counter({ name: 'test_total', help: 'A counter.' }).add(1)
  expect((await metrics.render()).body).toContain('test_total 2\n')
})

it('keeps the metrics of two gateways apart', async () => {
  const [one, two] = [createPrometheusMetrics(), createPrometheusMetrics()]
  one.counter({ name: 'test_total', help: 'A counter.' }).add(1)
  expect((await two.render()).body).not.toContain('test_total')
})
