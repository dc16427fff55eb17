/** Returns a swarm of 80 blocks with a gap, as `GET /api/v1/swarm` would report it. */
export function scriptedSwarm(): object {
  const spans = [
    [0, 32, 'gpu-attic'],
    [24, 56, 'lab-3'],
    [40, 56, 'rowan'],
    [16, 40, undefined],
    [60, 80, 'university-a100'],
    [56, 58, 'small-one'],
  ] as const
  const servers = spans.map(([start, end, publicName], index) => ({
    peer: `QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtF${index}q4${index}`,
    publicName,
    state: index === 5 ? 'joining' : 'online',
    version: '2.2.0',
    start,
    end,
    throughput: 120 / (index + 1),
    quantization: 'nf4',
    usesRelay: index === 3,
    cacheTokensLeft: 16384 * (index + 1),
    rttMs: index === 4 ? null : 12 + index * 31,
    bannedForMs: index === 2 ? 30_000 : 0,
  }))
  const held = (block: number) =>
    servers.filter(({ start, end, state }) => state === 'online' && block >= start && block < end)
  const replicas = Array.from({ length: 80 }, (_, block) => held(block).length)
  const missingBlocks = replicas.flatMap((count, block) => (count === 0 ? [block] : []))
  const model = {
    id: 'petals-team/StableBeluga2',
    dhtPrefix: 'StableBeluga2-hf',
    blocks: 80,
    replicas,
    servable: false,
    missingBlocks,
    bottleneck: { block: 56, replicas: 0, throughput: 0 },
    servers,
    initialPeers: ['/ip4/10.1.2.3/tcp/31234/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44'],
    ageMs: 1200,
    history: Array.from({ length: 45 }, (_, index) => scriptedSample(44 - index)),
  }
  return { models: [model] }
}

/** A sample of an hour in which servers joined and left, with some minutes without data. */
function scriptedSample(minutesAgo: number): object {
  const servers = minutesAgo > 30 ? 3 : minutesAgo > 12 ? 6 : 5
  const newsAgo = minutesAgo > 20 ? minutesAgo + 6 : minutesAgo
  return { ageMs: newsAgo * 60_000 + 20_000, servers, leastReplicas: minutesAgo > 8 ? 1 : 0 }
}

/** Returns the route of an answer through that swarm, at its first token and when a server leaves. */
export function scriptedRoute(token: number): object | undefined {
  if (token !== 0 && token !== 12) return undefined
  const hop = (peer: string, public_name: string | undefined, start: number, end: number): object => ({
    peer: `QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtF${peer}`,
    public_name,
    start,
    end,
    step_ms: token === 0 ? undefined : (end - start) * 1.3,
  })
  const last = token === 0 ? hop('5q45', 'cellar', 56, 80) : hop('4q44', 'university-a100', 56, 80)
  const failover = {
    ...hop('5q45', 'cellar', 56, 80),
    reason: 'The connection was reset.',
    position: 52,
    pause_ms: 412,
    replaced_by: [hop('4q44', 'university-a100', 56, 80)],
  }
  return {
    route: {
      hops: [hop('0q40', 'gpu-attic', 0, 32), hop('3q43', undefined, 32, 56), last],
      failovers: token === 0 ? [] : [failover],
      pushed: true,
      tokens_per_step: token === 0 ? undefined : 2.14,
    },
  }
}
