import type { SwarmModelStatus, SwarmServerStatus } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { Terminal } from '../terminal/terminal.ts'
import { blockStrip } from './block-strip.ts'
import { renderSwarm } from './render-swarm.ts'

const plain: Terminal['style'] = (_, text) => text
const colored = new Terminal(undefined, { FORCE_COLOR: '1' })

const server = (start: number, end: number, more: Partial<SwarmServerStatus> = {}): SwarmServerStatus => ({
  peer: 'QmPAciy35fh35xVGoYx9W991QTttMhobGCK3eDdJmCKzzv',
  publicName: 'my-gpu',
  state: 'online',
  version: '2.2.0.post1',
  start,
  end,
  throughput: 812.4,
  inferenceRps: 300,
  dtype: 'bfloat16',
  quantization: 'nf4',
  adapters: [],
  usesRelay: false,
  cacheTokensLeft: 4096,
  rttMs: 12.34,
  bannedForMs: 0,
  ...more,
})

const address = '/ip4/10.1.2.3/tcp/31337/p2p/QmPAciy35fh35xVGoYx9W991QTttMhobGCK3eDdJmCKzzv'
const model = (more: Partial<SwarmModelStatus> = {}): SwarmModelStatus => ({
  id: 'Llama',
  dhtPrefix: 'Llama-hf',
  blocks: 4,
  replicas: [2, 2, 1, 1],
  reachable: true,
  servable: true,
  missingBlocks: [],
  bottleneck: { block: 2, replicas: 1, throughput: 812.4 },
  servers: [server(0, 4), server(0, 2, { publicName: undefined, quantization: 'none', rttMs: 3.21 })],
  initialPeers: [address],
  ageMs: 2400,
  join: [{ command: 'npx petals-chat contribute ./llama' }],
  ...more,
})

const render = (status: SwarmModelStatus) => renderSwarm({ models: [status] }, { style: plain }).join('\n')

describe('renderSwarm', () => {
  it('shows a model that can answer, with its servers and its bottleneck', () => {
    expect(render(model()).split('\n')).toEqual([
      'Llama   Llama-hf   4 blocks   seen 2 s ago',
      '✓ every block has a server; bottleneck: block 2, 1 server, 812 tokens/s',
      '',
      '  0 2211',
      '',
      '  BLOCKS  SERVER            VERSION      TYPE        SPEED         RTT     ROOM         STATE',
      '  0-3     my-gpu (…mCKzzv)  2.2.0.post1  NF4 (BF16)  812 tokens/s  12 ms   4096 tokens  online',
      '  0-1     …mCKzzv           2.2.0.post1  BF16        812 tokens/s  3.2 ms  4096 tokens  online',
      '',
      '  Another server makes it faster and safer:',
      '    npx petals-chat contribute ./llama',
    ])
  })

  it('shows the missing blocks, and the commands that fill the gaps', () => {
    const text = render(
      model({
        blocks: 8,
        replicas: [1, 0, 0, 1, 1, 0, 1, 1],
        servable: false,
        missingBlocks: [1, 2, 5],
        join: ['1:3', '5:6', '6:7', '8:9'].map((blocks) => ({ command: `contribute --blocks ${blocks}` })),
      }),
    )
    expect(text).toContain("✗ no server for blocks 1-2, 5: the model can't answer")
    expect(text).toMatch(/ {2}To fill the gap:\n {4}contribute --blocks 1:3\n.*5:6\n.*6:7$/)
  })

  it('shows problems of servers', () => {
    const text = render(
      model({
        servers: [
          server(0, 4, { rttMs: Infinity, bannedForMs: 15_000, usesRelay: true }),
          server(0, 4, { verdict: { kind: 'wrong', against: ['Qm'], difference: 0.05, remainingMs: 1 } }),
          server(0, 4, {
            state: 'joining',
            rttMs: undefined,
            version: undefined,
            cacheTokensLeft: undefined,
          }),
          server(0, 4, { adapters: ['org/lora'], throughput: 0.46 }),
        ],
      }),
    )
    expect(text).toMatch(/ - +4096 tokens +does not answer, through a relay, avoided for 15 s\n/)
    expect(text).toMatch(/ online, computes wrongly, not used\n/)
    expect(text).toMatch(/my-gpu \(…mCKzzv\) +\? .* \? +\? +joining\n/)
    expect(text).toMatch(/0\.5 tokens\/s .* online, adapters org\/lora\n/)
  })

  it('shows why the status is outdated, and nothing else if the model is unknown', () => {
    const problem = 'None of 1 initial peers can be reached.'
    expect(render(model({ problem }))).toContain(`\n! ${problem}\n`)
    expect(
      render(model({ dhtPrefix: '', blocks: 0, replicas: [], ageMs: undefined, servers: [], problem })),
    ).toBe(`Llama\n! ${problem}`)
    expect(renderSwarm({ models: [] }, { style: plain })).toHaveLength(1)
  })
})

describe('a swarm that can’t be reached', () => {
  const problem = "The swarm can't be reached: its only initial peer does not answer."
  const unknown = { reachable: false, servable: false, ageMs: undefined, replicas: [], servers: [], problem }
  const options = { style: plain, sourceOf: () => undefined }

  it('is reported once, without missing blocks', () => {
    const models = [model(unknown), model({ ...unknown, id: 'other', blocks: 0 })]
    expect(renderSwarm({ models }, options)).toEqual([`✗ ${problem}`])
    expect(renderSwarm({ models: [], problem }, options)).toEqual([`✗ ${problem}`])
  })

  it('is reported with the last known status', () => {
    const text = render(model({ reachable: false, problem }))
    expect(text).toContain(`\n! ${problem}\n`)
    expect(text).toContain('my-gpu')
    expect(text).not.toMatch(/every block|no server|To fill|faster/)
  })
})

describe('blockStrip', () => {
  it('breaks long models into rows that name their first block', () => {
    const rows = blockStrip(
      Array.from({ length: 126 }, (_, block) => block % 12),
      plain,
    )
    expect(rows.map((row) => row.length)).toEqual([64, 64, 10])
    expect(rows[0]).toBe(`  0 ${'0123456789++'.repeat(5)}`)
    expect(rows[2]).toBe('120 012345')
  })

  it('is red without a server, yellow with one server, green with more', () => {
    const [row] = blockStrip([0, 1, 2], colored.style.bind(colored))
    expect(row).toMatch(/\[41m.*0.*\[43m.*1.*\[42m.*2/)
  })
})
