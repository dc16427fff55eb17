import { defaultModel } from '@petals-chat/hub'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { findContributedModel } from './contributed-model.ts'
import { showWelcome, type JoinedPlace } from './welcome.ts'

const id = '12D3KooWQifSeCGs8HczbonArtJs6L7xxSz7SJ3ECe5D7zRWYcqQ'
const loopback = [`/ip4/127.0.0.1/tcp/31337/p2p/${id}`, `/ip6/::1/tcp/31337/p2p/${id}`]
const lan = `/ip4/192.0.2.2/tcp/31337/p2p/${id}`

async function welcomeOf(model: string, place: Partial<JoinedPlace> = {}): Promise<string> {
  await using folder = await temporaryFolder()
  await folder.write('my.gguf', 'GGUF')
  const loaded = await loadConfig({ workingDirectory: folder.path, environment: {}, flags: {} })
  const { terminal, stdout } = recordingTerminal({ columns: 200 })
  const settings = { swarm: 'new', dhtPrefix: 'my-model' } as const
  showWelcome(
    terminal,
    {
      model: await findContributedModel(model, loaded, folder.path),
      settings,
      addresses: [...loopback, lan],
      blocks: 30,
      ...place,
    },
    'Serving',
  )
  return stdout()
}

describe('the words of a server that has joined', () => {
  it('name the default model by its name, also on a machine with other models', async () => {
    const words = await welcomeOf(defaultModel.id)
    expect(words).toContain(`contribute ${defaultModel.id} --swarm ${lan} --dht-prefix my-model\n`)
    expect(words).toContain(
      `--swarm ${lan} --model petals:hf:HuggingFaceTB/SmolLM2-135M-Instruct --dht-prefix my-model\n`,
    )
    expect(words).not.toContain('replace MODEL')
  })

  it('say what is missing for a chat with the blocks of a GGUF file', async () => {
    const words = await welcomeOf('./my.gguf')
    expect(words).toMatch(/contribute \S+my\.gguf --swarm/)
    expect(words).toMatch(/--model petals:MODEL[^]*replace MODEL by the repository/)
  })

  it('have the addresses that other machines can use, and all if there are none', async () => {
    expect(await welcomeOf('org/model')).not.toMatch(/--swarm \S*(127\.0\.0\.1|::1)/)
    expect(await welcomeOf('org/model', { addresses: loopback })).toContain(`--swarm '${loopback.join(',')}'`)
  })

  it('have the addresses through which it joined, too', async () => {
    const settings = { swarm: ['/ip4/198.51.100.1/tcp/1/p2p/Qm1'] }
    expect(await welcomeOf('org/model', { settings })).toContain(
      `contribute org/model --swarm '${lan},${settings.swarm[0]!}'\n`,
    )
  })
})
