import type { Logger } from '@petals-chat/engine'
import { provideFirstKey } from '../access/first-key.ts'
import { openServerKeys } from '../access/open-keys.ts'
import { assertServable, warnOfMissingFiles } from '../config/check-servable.ts'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { openSetting } from '../config/settings.ts'
import type { CommandContext } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { judgeNode } from '../node-release.ts'
import { createRuntime, type Runtime } from '../runtime.ts'
import { reachableUrls } from '../serve/addresses.ts'
import { announceReady, announceStart } from '../serve/announce.ts'
import { listen } from '../serve/listen.ts'
import { modelsToPreload, preloadModels } from '../serve/preload.ts'
import { endWithin, waitForShutdown } from '../serve/shutdown.ts'
import { untilIdle } from '../serve/until-idle.ts'
import { findWebRoot } from '../serve/web-root.ts'
import { formatDuration } from '../terminal/format.ts'
import { openBrowser } from '../terminal/open-browser.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { version } from '../version.ts'

/** Serves until SIGINT or SIGTERM, and then lets running answers finish. */
export async function serve(context: CommandContext): Promise<number> {
  const { terminal } = context
  const loaded = await loadConfig(context)
  assertServable(loaded)
  const { createGateway, createPrometheusMetrics, loadTracing } = await import('@petals-chat/gateway')
  const metrics = createPrometheusMetrics()
  await using runtime = await createRuntime(loaded, { terminal, metrics })
  const { logger, registry, swarm, tools } = runtime
  for (const warning of warnOfMissingFiles(loaded)) logger.warn({}, formatProblem(warning))
  warnOfUnsafeNode(logger)
  process.prependListener('uncaughtException', (err) => logger.error({ err }, 'uncaught error'))

  using opened = await openServerKeys(loaded, logger)
  const { tracing } = loaded.config.server
  const gateway = createGateway(loaded.config.server, {
    registry,
    logger,
    metrics,
    version,
    webRoot: findWebRoot(),
    swarm,
    tools,
    keys: opened?.keys,
    usage: opened?.usage,
    signIns: opened?.signIns,
    tracing: tracing && (await loadTracing(tracing, version)),
  })
  const port = await listen(gateway, loaded.config.server)
  const urls = reachableUrls(loaded.config.server.host, port)
  announceStart(terminal, urls[0])
  if (opened !== undefined) provideFirstKey(terminal, opened.keys, loaded.config.server)
  if (wantsBrowser(context)) await openPage(urls[0], terminal)

  const stopping = new AbortController()
  const readying = getReady(loaded, runtime, urls, terminal, stopping.signal)
  const working = Promise.all([readying, untilIdle(readying).then(() => gateway.prepare())])
  const onFirst = () => announceDrain(terminal, loaded.config.server.drainTimeoutMs)
  await waitForShutdown({ onFirst })
  const onLate = () => logger.error({}, 'The server did not close in time, so its process ends now.')
  endWithin(loaded.config.server.drainTimeoutMs, { onLate })
  stopping.abort()
  await gateway.close()
  await working
  return exitCodes.ok
}

/** Old versions that can't run this program were refused by the launcher. */
function warnOfUnsafeNode(logger: Logger): void {
  const judged = judgeNode(process.versions.node)
  if (judged.state !== 'ok') logger.warn({}, `${judged.problem}. ${judged.advice}`)
}

async function getReady(
  { config }: LoadedConfig,
  { registry, looked }: Runtime,
  urls: readonly [string, ...string[]],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  await preloadModels(registry, modelsToPreload(config), terminal, signal)
  await looked()
  if (!signal.aborted) await announceReady(terminal, registry, urls)
}

function announceDrain(terminal: Terminal, drainTimeoutMs: number): void {
  terminal.status('')
  const limit = formatDuration(drainTimeoutMs / 1000)
  terminal.out(`Stopping: running answers get up to ${limit} to finish. Press Ctrl+C again to stop at once.`)
}

function wantsBrowser({ flags, environment }: CommandContext): boolean {
  return flags.open === true || /^(1|true|yes|on)$/i.test(environment[openSetting.variable] ?? '')
}

async function openPage(url: string, terminal: Terminal): Promise<void> {
  if (await openBrowser(url)) return
  terminal.note(`No browser could be opened. Open ${url} yourself.`)
}
