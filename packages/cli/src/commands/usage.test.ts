import { createModelRegistry, loadableModel, modelSpecSchema, silentLogger } from '@petals-chat/engine'
import { ScriptedEngine } from '@petals-chat/engine/testing'
import { createGateway, createPrometheusMetrics, gatewayConfigSchema } from '@petals-chat/gateway'
import { expect, it } from 'vitest'
import { openKeys } from '../access/open-keys.ts'
import { loadConfig } from '../config/load.ts'
import { CommandError } from '../exit-codes.ts'
import { runProgram } from '../program.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'

it('shows what a key has used, as its answers said, also after the server has ended', async () => {
  await using folder = await temporaryFolder()
  await folder.write('petals-chat.yaml', 'server:\n  access:\n    file: access.sqlite\n')
  const place = { environment: {}, workingDirectory: folder.path }
  const run = async (...args: readonly string[]) => {
    const { terminal, stdout, stderr } = recordingTerminal()
    await runProgram(['usage', ...args], { terminal, ...place })
    return { stdout: stdout(), stderr: stderr() }
  }
  expect((await run()).stderr).toContain('Nothing was used')
  const used = { prompt_tokens: 0, completion_tokens: 0 }
  {
    using opened = await openKeys(await loadConfig({ ...place, flags: {} }))
    const { token } = opened.keys.create({ name: 'lab', limits: { tokensPerDay: 1_000 } })
    for (let start = 0; start < 2; start++) {
      await using server = startServer(opened)
      const response = await server.chat(token)
      const { usage } = (await response.json()) as { usage: typeof used }
      used.prompt_tokens += usage.prompt_tokens
      used.completion_tokens += usage.completion_tokens
      // The limit of the day goes on after a restart.
      expect(Number(response.headers.get('x-ratelimit-remaining-tokens'))).toBe(
        1_000 - used.prompt_tokens - used.completion_tokens,
      )
      const own = await server.app.request('/v1/usage', { headers: { authorization: `Bearer ${token}` } })
      expect(await own.json()).toMatchObject({ total: { requests: start + 1, ...used } })
    }
  }
  const { stdout } = await run('--key', 'lab')
  const { prompt_tokens: prompt, completion_tokens: completion } = used
  expect(stdout).toMatch(new RegExp(`key:\\w+ +lab +test +2 +${prompt} +\\d+ +${completion} +0\\.0`))
  expect(JSON.parse((await run('--json')).stdout)).toMatchObject([{ model: 'test', requests: 2 }])
  await expect(run('--days', '0')).rejects.toThrow(CommandError)
  await expect(run('--key', 'other')).rejects.toThrow(CommandError)
})

function startServer({ keys, usage }: Awaited<ReturnType<typeof openKeys>>) {
  const engine = new ScriptedEngine({ reply: () => 'Yes.' })
  const spec = modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' })
  const registry = createModelRegistry({ models: [loadableModel(spec, engine)] })
  const metrics = createPrometheusMetrics()
  const dependencies = { registry, logger: silentLogger, metrics, version: '1.0.0', keys, usage }
  const gateway = createGateway(gatewayConfigSchema.parse({ port: 0 }), dependencies)
  return {
    app: gateway.app,
    chat: async (token: string) =>
      gateway.app.request('/v1/chat/completions', {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] }),
      }),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await registry[Symbol.asyncDispose]()
      await engine[Symbol.asyncDispose]()
    },
  }
}
