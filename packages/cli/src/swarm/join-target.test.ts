import path from 'node:path'
import { publicInitialPeers } from '@petals-chat/petals/config'
import { parseModelSource } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { launcher } from '../launcher.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { joinTargetOf } from './join-target.ts'

const address = '/ip4/10.1.2.3/tcp/31337/p2p/QmPAciy35fh35xVGoYx9W991QTttMhobGCK3eDdJmCKzzv'
const privateSwarm = { dhtPrefix: 'Llama-hf', initialPeers: [address] }
const options = { baseFolder: '/srv/chat', hideFolders: false }

describe('joinTargetOf', () => {
  it('takes the repository of the source, not the id of the entry', () => {
    expect(
      joinTargetOf(
        { dhtPrefix: 'StableBeluga2-hf', initialPeers: publicInitialPeers },
        { source: parseModelSource('hf:petals-team/StableBeluga2@main') },
        options,
      ),
    ).toEqual({ model: 'petals-team/StableBeluga2', swarm: 'public' })
  })

  it('keeps the revision, the prefix that the entry has, and its adapter', () => {
    const spec = { source: parseModelSource('hf:org/llama@v2'), dhtPrefix: 'Llama-hf', adapter: 'org/lora' }
    expect(joinTargetOf(privateSwarm, spec, options)).toEqual({
      model: 'hf:org/llama@v2',
      swarm: [address],
      dhtPrefix: 'Llama-hf',
      adapters: ['org/lora'],
    })
  })

  it('names the folder of a local source, but only its last part if strangers may read it', () => {
    const spec = { source: parseModelSource('./my models/llama') }
    expect(joinTargetOf(privateSwarm, spec, options).model).toBe(path.resolve('/srv/chat/my models/llama'))
    expect(joinTargetOf(privateSwarm, spec, { ...options, hideFolders: true })).toEqual({
      model: './llama',
      swarm: [address],
      dhtPrefix: 'Llama-hf',
    })
  })

  it('takes the first source that servers can load', () => {
    const source = parseModelSource('wheel:pkg==1.0/a.gguf || ./llama || hf:org/llama')
    expect(joinTargetOf(privateSwarm, { source }, options).model).toBe('org/llama')
  })

  it('joins the public swarm if one of its peers is among the initial peers, as the notice on the page says', () => {
    const swarmOf = (initialPeers: readonly string[]) =>
      joinTargetOf({ dhtPrefix: 'Llama-hf', initialPeers }, undefined, options).swarm
    expect(swarmOf([address, publicInitialPeers[0]!])).toBe('public')
    expect(swarmOf([address])).toEqual([address])
  })

  it('takes the repository that servers have registered where the configuration has no such model', () => {
    const modelOf = (repository: string) =>
      joinTargetOf({ ...privateSwarm, repository }, undefined, options).model
    expect(modelOf('https://huggingface.co/org/Llama')).toBe('org/Llama')
    expect(modelOf('https://elsewhere.example/org/Llama')).toBeUndefined()
    const spec = { source: parseModelSource('./my-llama') }
    const registered = { ...privateSwarm, repository: 'https://huggingface.co/org/Llama' }
    expect(joinTargetOf(registered, spec, options).model).toBe(path.resolve('/srv/chat/my-llama'))
  })

  it('has no model if neither the configuration nor a server names one', () => {
    expect(joinTargetOf(privateSwarm, undefined, options)).toEqual({
      model: undefined,
      swarm: [address],
      dhtPrefix: 'Llama-hf',
    })
  })
})

it('is started through npm in a clone, and through npx elsewhere', async () => {
  await using folder = await temporaryFolder()
  expect(launcher()).toBe('npm start --')
  expect(launcher(await folder.write('package.json', '{"name":"mine"}'))).toBe('npx petals-chat')
  expect(launcher(path.join(folder.path, 'none.json'))).toBe('npx petals-chat')
})
