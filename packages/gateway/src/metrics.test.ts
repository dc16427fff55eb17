import { expect, it } from 'vitest'
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

it('tells of the process', async () => {
  const { body } = await createPrometheusMetrics().render()
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_seconds',
  ]) {
    expect(body).toContain(`# TYPE ${name} `)
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
