import type { Metrics } from '../metrics.ts'

type Outcome = 'ok' | 'error'

/** Measures how models load. */
export interface LoadMetrics {
  /** Starts to measure a load. Call the returned function when the load ends: it returns the duration in seconds. */
  start(model: string): (outcome: Outcome) => number
  setLoaded(model: string, loaded: boolean): void
}

export function createLoadMetrics(metrics: Metrics): LoadMetrics {
  const loadSeconds = metrics.histogram({
    name: 'petals_chat_model_load_seconds',
    help: 'Time to load a model, downloads included.',
    labels: ['model', 'outcome'],
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
  })
  const loadedGauge = metrics.gauge({
    name: 'petals_chat_model_loaded',
    help: '1 while the model is loaded.',
    labels: ['model'],
  })
  return {
    start(model) {
      const started = performance.now()
      return (outcome) => {
        const seconds = (performance.now() - started) / 1000
        loadSeconds.observe(seconds, { model, outcome })
        return seconds
      }
    },
    setLoaded: (model, loaded) => loadedGauge.set(loaded ? 1 : 0, { model }),
  }
}
