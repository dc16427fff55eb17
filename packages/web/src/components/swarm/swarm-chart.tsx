import { useTexts } from '../../i18n/texts.ts'
import { HISTORY_MS, type SwarmSample } from '../../swarm/swarm-history.ts'

const WIDTH = 600
const HEIGHT = 60
/** A gap this long means that there were no samples: no line crosses it. The server takes a sample once a minute. */
const GAP_MS = 150_000

/** A chart of the number of servers in the last hour, from the samples of the gateway and this browser. */
export function SwarmChart({ samples }: { readonly samples: readonly SwarmSample[] }) {
  const texts = useTexts()
  const last = samples.at(-1)
  if (!last || samples.length < 2) return null
  const most = Math.max(1, ...samples.map(({ servers }) => servers))
  const point = (sample: SwarmSample, value: number): string => {
    const x = WIDTH - ((last.at - sample.at) / HISTORY_MS) * WIDTH
    const y = HEIGHT - 2 - (value / most) * (HEIGHT - 4)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  }
  const runs = splitAtGaps(samples)
  return (
    <figure className="swarm-chart">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={texts.swarmChart(last.servers, most)}
      >
        {runs.map((run, index) => (
          <g key={index}>
            <polyline
              className="chart-servers"
              points={run.map((sample) => point(sample, sample.servers)).join(' ')}
            />
            <polyline
              className="chart-least"
              points={run.map((sample) => point(sample, sample.leastReplicas)).join(' ')}
            />
          </g>
        ))}
      </svg>
      <figcaption>
        <span className="chart-key chart-key-servers">{texts.swarmChartServers}</span>
        <span className="chart-key chart-key-least">{texts.swarmChartLeast}</span>
        <span>{texts.swarmChartHour}</span>
      </figcaption>
    </figure>
  )
}

function splitAtGaps(samples: readonly SwarmSample[]): readonly (readonly SwarmSample[])[] {
  const runs: SwarmSample[][] = []
  for (const sample of samples) {
    const run = runs.at(-1)
    if (run && sample.at - (run.at(-1)?.at ?? 0) < GAP_MS) run.push(sample)
    else runs.push([sample])
  }
  return runs
}
