import type { SwarmStatus, SwarmView } from '@petals-chat/engine'
import { expect, it } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { withJoinCommands } from './with-join-commands.ts'

async function viewed(status: SwarmStatus): Promise<SwarmView> {
  await using folder = await temporaryFolder()
  const flags = { model: ['StableBeluga2=petals:hf:petals-team/StableBeluga2'] }
  const loaded = await loadConfig({ workingDirectory: folder.path, environment: {}, flags })
  return withJoinCommands({ isPublic: true, status: () => Promise.resolve(status) }, loaded)
}

it('adds a command to each model, and leaves the rest of the view unchanged', async () => {
  const model = {
    id: 'StableBeluga2',
    dhtPrefix: 'StableBeluga2-hf',
    blocks: 80,
    replicas: [],
    reachable: true,
    servable: true,
    missingBlocks: [],
    bottleneck: undefined,
    servers: [],
    initialPeers: ['/ip4/10.1.2.3/tcp/31337/p2p/QmPAciy35fh35xVGoYx9W991QTttMhobGCK3eDdJmCKzzv'],
    ageMs: 1,
  }
  const view = await viewed({ models: [model] })
  expect(view.isPublic).toBe(true)
  const [join] = (await view.status()).models[0]!.join!
  expect(join!.command).toMatch(/ contribute petals-team\/StableBeluga2 --swarm \/ip4\/10\.1\.2\.3\//)
  expect((await view.status()).models).toMatchObject([model])
})

it('keeps the reason why the models of a swarm could not be listed', async () => {
  const view = await viewed({ models: [], problem: "The swarm can't be reached." })
  expect(await view.status()).toEqual({ models: [], problem: "The swarm can't be reached." })
})
