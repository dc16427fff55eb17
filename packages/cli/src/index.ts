/**
 * The `petals-chat` command and its parts: the configuration with its schema, and the runtime that wires
 * engines, registry and gateway together.
 *
 * ```ts
 * const loaded = await loadConfig({ workingDirectory: '.', environment: process.env, flags: { port: '0' } })
 * await using runtime = await createRuntime(loaded, { terminal: new Terminal() })
 * const model = await runtime.registry.get(loaded.config.models[0]!.id)
 * ```
 *
 * @packageDocumentation
 */
export { loadConfig, type LoadConfigOptions, type LoadedConfig, type ResolvedConfig } from './config/load.ts'
export {
  ConfigError,
  formatProblem,
  type ConfigProblem,
  type KeyPath,
  type Origin,
} from './config/problem.ts'
export { configJsonSchema, configSchema, type Config } from './config/schema.ts'
export { exitCodes } from './exit-codes.ts'
export { runProgram, type ProgramContext } from './program.ts'
export { createRuntime, type Runtime, type RuntimeOptions } from './runtime.ts'
export { Terminal } from './terminal/terminal.ts'
export { version } from './version.ts'
