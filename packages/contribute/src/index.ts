/**
 * Runs this machine as a server of a Petals swarm: makes the Python environment, checks how many blocks the machine can hold,
 * starts a Petals server and keeps it running.
 *
 * ```ts
 * const plan = planServer(readBlockModel(configJson, name), await lookAtMachine(), {})
 * const environment = planEnvironment({ installer: await findInstaller(), torch: plan.torch, machine, folder, requirements: pythonFolder })
 * await makeEnvironment(environment, { onProgress })
 * await keepServing({ start: (onEvent) => startPetalsProcess({ python: environment.python, args: serverArguments(settings), … }), … })
 * ```
 *
 * @packageDocumentation
 */
export { ContributeError } from './contribute-error.ts'
export {
  checkEnvironment,
  isReady,
  makeEnvironment,
  pythonFolder,
  type OnProgress,
} from './environment/environment.ts'
export { planEnvironment, torchFor, type EnvironmentPlan, type Torch } from './environment/plan.ts'
export { findInstaller, pythonOf, type Installer } from './environment/python.ts'
export {
  blockSpans,
  joinCommand,
  joinCommands,
  quoteWord,
  unknownModel,
  type JoinTarget,
} from './join/join-command.ts'
export { type Gpu } from './machine/gpus.ts'
export { folderBytes, freeDiskBytes, isPortFree, lookAtMachine, type Machine } from './machine/machine.ts'
export { readBlockModel, type BlockModel } from './model/block-model.ts'
export { diskBytes, type Dtype, type Quantization } from './model/memory.ts'
export { planServer, type ServerPlan, type ServerWishes } from './plan-server.ts'
export { describeExit, type ServerFailure } from './server/failure.ts'
export { keepServing, type KeepServingOptions } from './server/keep-serving.ts'
export { readLogLine, type ServerEvent } from './server/log-reader.ts'
export {
  petalsServerScript,
  startPetalsProcess,
  type PetalsProcess,
  type ServerExit,
} from './server/petals-process.ts'
export { serverArguments } from './server/server-arguments.ts'
export { serverEnvironment } from './server/server-environment.ts'
export type { Reach, ServerSettings } from './server/server-settings.ts'
export { type ServerState } from './server/server-state.ts'
