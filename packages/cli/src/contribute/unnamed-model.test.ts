import type { SwarmModel } from '@petals-chat/petals/client'
import { describe, expect, it } from 'vitest'
import type { ResolvedConfig } from '../config/load.ts'
import { configSchema } from '../config/schema.ts'
import { findUnnamedModel, type ListModels, type UnnamedModel } from './unnamed-model.ts'

const peers = ['/ip4/192.0.2.7/tcp/31337/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44']
function configOf(models: readonly object[]): ResolvedConfig {
  const config = configSchema.parse({ swarm: { initialPeers: peers }, models })
  return { ...config, models: config.models! }
}
const petals = (id: string) => ({ id, engine: 'petals', source: `hf:org/${id}` })
const local = { id: 'small', engine: 'llama', source: 'hf:org/small-GGUF:Q4_K_M' }

const registered = (dhtPrefix: string, repository?: string): SwarmModel => ({
  dhtPrefix,
  numBlocks: 80,
  repository,
})
const has =
  (...models: readonly SwarmModel[]): ListModels =>
  async () =>
    models
const mustNotAsk: ListModels = () => Promise.reject(new Error('asked'))

const find = (
  models: readonly object[],
  listModels: ListModels,
  startsSwarm = false,
): Promise<UnnamedModel> => findUnnamedModel({ config: configOf(models) }, { startsSwarm }, listModels)

describe('the model of `petals-chat contribute` without a name', () => {
  it('is the one of the configuration that is in a swarm', async () => {
    expect(await find([local, petals('big')], mustNotAsk)).toEqual({ name: 'big' })
    expect(await find([petals('big')], mustNotAsk, true)).toEqual({ name: 'big' })
    await expect(find([petals('big'), petals('huge')], mustNotAsk)).rejects.toThrow(
      /several models of a swarm: big, huge\. Name the model/,
    )
  })

  it('is the first one of the configuration for a new swarm', async () => {
    const upstream = { id: 'far', engine: 'upstream', baseUrl: 'http://127.0.0.1:9/v1' }
    expect(await find([upstream, local], mustNotAsk, true)).toEqual({ name: 'small' })
    await expect(find([upstream], mustNotAsk, true)).rejects.toThrow(/no model with files on this machine/)
  })

  it('is the only one of the swarm, under the name that it has there, if its servers took it from the Hub', async () => {
    const beluga = registered('ours-too', 'https://huggingface.co/petals-team/StableBeluga2')
    expect(await find([local], has(beluga))).toEqual({
      name: 'petals-team/StableBeluga2',
      dhtPrefix: 'ours-too',
    })
    const [peer] = peers
    await expect(find([local], has(beluga, registered('ours')))).rejects.toThrow(
      new RegExp(
        `several models\\. .*\\n  .* contribute petals-team/StableBeluga2 --swarm ${peer} --dht-prefix ours-too\\n  .* contribute MODEL --swarm ${peer} --dht-prefix ours$`,
      ),
    )
    await expect(find([local], has(registered('ours')))).rejects.toThrow(
      /has one model, which its servers read from files of their own\. Name the model/,
    )
  })

  it.each([
    'https://huggingface.co/org/model/tree/main',
    'https://huggingface.co/--config=/etc/passwd',
    'https://example.org/org/model',
    'https://huggingface.co/../..',
    'https://huggingface.co/org/$(reboot)',
  ])('is not what a server of strangers registers as %s', async (page) => {
    await expect(find([local], has(registered('theirs', page)))).rejects.toThrow(/MODEL --swarm/)
  })

  it('is asked for if the swarm has none, is away, or has more than fit on a screen', async () => {
    await expect(find([local], has())).rejects.toThrow(
      /no model whose name its servers publish\. Name the model/,
    )
    await expect(find([local], mustNotAsk)).rejects.toThrow(
      /could not be asked which models it has: asked\. Name/,
    )
    const many = Array.from({ length: 30 }, (_, i) => registered(`model-${i}`))
    await expect(find([local], has(...many))).rejects.toThrow(/--dht-prefix model-11\n {2}…$/)
  })
})
