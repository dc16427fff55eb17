import { expect, test } from 'vitest'
import { parseSwarm, type SwarmModel } from '../api/swarm.ts'
import { joinCommands } from './join-command.ts'

function swarmModel(changes: object): SwarmModel {
  const [model] = parseSwarm({
    models: [{ id: 'petals-team/StableBeluga2', dhtPrefix: 'StableBeluga2-hf', ...changes }],
  })
  return model!
}

test('names the model, and what is missing', () => {
  expect(joinCommands(swarmModel({}))).toEqual(['python -m petals.cli.run_server petals-team/StableBeluga2'])
  expect(joinCommands(swarmModel({ missingBlocks: [3, 4, 5, 9] }))).toEqual([
    'python -m petals.cli.run_server petals-team/StableBeluga2 --block_indices 3:6',
    'python -m petals.cli.run_server petals-team/StableBeluga2 --block_indices 9:10',
  ])
})

test('joins a private swarm by its addresses and prefix', () => {
  const peer = '/ip4/10.1.2.3/tcp/31234/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44'
  expect(joinCommands(swarmModel({ dhtPrefix: 'mine', initialPeers: [peer] }))).toEqual([
    `python -m petals.cli.run_server petals-team/StableBeluga2 --dht_prefix mine --initial_peers ${peer}`,
  ])
})

test('lets nothing out of its quotes', () => {
  expect(joinCommands(swarmModel({ initialPeers: [`/ip4/1.2.3.4'; rm -rf "$HOME"`] }))[0]).toContain(
    `--initial_peers '/ip4/1.2.3.4'\\''; rm -rf "$HOME"'`,
  )
})
