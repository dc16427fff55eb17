import { CommandError, exitCodes } from '../exit-codes.ts'
import type { ContributedModel } from './contributed-model.ts'
import type { ContributeRequest, EngineName } from './request.ts'

/** Which engine serves the blocks, and, if that is not the usual one, why. */
export interface EngineChoice {
  readonly engine: EngineName
  readonly reason?: string | undefined
}

/**
 * Chooses the native engine, unless the request or the model needs Python.
 * @throws CommandError if the engine that was asked for can't do what else was asked for
 */
export function chooseEngine(
  request: ContributeRequest,
  { isGguf, spec }: Pick<ContributedModel, 'isGguf' | 'spec'>,
): EngineChoice {
  const adapters = [...request.adapters, ...(spec?.engine === 'petals' && spec.adapter ? [spec.adapter] : [])]
  const python = needsPython(request, adapters)
  const native = needsNative(request, isGguf)
  if (request.engine === 'native' && python !== undefined) throw conflict('--engine native', python)
  if (request.engine === 'python' && native !== undefined) throw conflict('--engine python', native)
  if (python !== undefined && native !== undefined)
    throw new CommandError(`${python}, but ${lowerFirst(native)}: leave out one of them.`, exitCodes.usage)
  if (request.engine !== undefined) return { engine: request.engine }
  return python === undefined ? { engine: 'native' } : { engine: 'python', reason: `${python}.` }
}

function needsPython(
  { quantization, environment }: ContributeRequest,
  adapters: readonly string[],
): string | undefined {
  if (quantization === 'nf4' || quantization === 'int8')
    return `--quantization ${quantization} needs the kernels of Python's bitsandbytes (without Python: q8_0, q4_k)`
  if (adapters.length > 0) return `The LoRA adapter ${adapters[0]} needs Python: the native engine loads none`
  if (environment !== undefined) return '--environment names a Python environment'
  return undefined
}

function needsNative(
  { quantization, memoryBytes, threads, networkBps, device }: ContributeRequest,
  isGguf: boolean,
): string | undefined {
  if (isGguf) return 'A GGUF file needs the native engine'
  if (quantization === 'q8_0' || quantization === 'q4_k')
    return `--quantization ${quantization} needs the native engine`
  if (memoryBytes !== undefined) return '--memory needs the native engine'
  if (threads !== undefined) return '--threads needs the native engine'
  if (networkBps !== undefined) return '--network-speed needs the native engine'
  if (device === 'vulkan' || device === 'metal') return `--device ${device} needs the native engine`
  return undefined
}

const conflict = (flag: string, reason: string): CommandError =>
  new CommandError(`${flag} is not possible here. ${reason}.`, exitCodes.usage)

const lowerFirst = (text: string): string => text.replace(/^A /, 'a ')
