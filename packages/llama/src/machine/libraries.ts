import { findLibraries, type GpuName, type Libraries } from '@petals-chat/ggml'
import { requireOf } from './backends.ts'

/**
 * Finds the shared libraries of llama.cpp that a model would be run with: those for the CPU, or the build for a kind of GPU,
 * which computes on the CPU too. Loads nothing.
 * @returns undefined if they are not installed
 */
export const findLlamaLibraries = (gpu?: GpuName): Libraries | undefined =>
  findLibraries({ gpu, from: requireOf('node-llama-cpp') })
