import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Backend, newContext } from './backend.ts'
import { openGgml, type Ggml } from './bindings.ts'
import { ggmlTypes } from './ggml-types.ts'
import { readCpuFeatures } from './cpu-features.ts'
import { findLibraries } from './libraries.ts'
import { findLibraryFiles } from './library-files.ts'

const { folder } = findLibraries()!

/** Opens a build whose files are no libraries. */
async function openDamaged(): Promise<unknown> {
  const damaged = await mkdtemp(path.join(tmpdir(), 'damaged-'))
  try {
    const { base, registry } = findLibraryFiles(folder)
    for (const file of [base, registry]) await writeFile(path.join(damaged, path.basename(file)), 'text')
    return openGgml(damaged)
  } finally {
    await rm(damaged, { recursive: true, force: true })
  }
}

it('the reason is told each time that a damaged build is opened', async () => {
  await expect(openDamaged()).rejects.toThrow('ggml-base')
  await expect(openDamaged()).rejects.toThrow('ggml-base')
})

describe('ggml', () => {
  let ggml: Ggml
  beforeAll(() => {
    ggml = openGgml(folder)
  })

  it('multiplies a matrix with vectors on the CPU', async () => {
    using backend = new Backend(ggml, 'cpu')
    const context = newContext(ggml, 4, 8)
    const matrix = ggml.new_tensor_2d(context, ggmlTypes.f32, 3, 2)
    const vectors = ggml.new_tensor_2d(context, ggmlTypes.f32, 3, 2)
    const product = ggml.mul_mat(context, matrix, vectors)
    const graph = ggml.new_graph_custom(context, 8, false)
    ggml.build_forward_expand(graph, product)
    ggml.backend_alloc_ctx_tensors(context, backend.handle)
    ggml.backend_tensor_set(matrix, Float32Array.of(1, 2, 3, 4, 5, 6), 0, 24)
    ggml.backend_tensor_set(vectors, Float32Array.of(1, 0, 2, 0, 1, 0), 0, 24)
    expect(await backend.compute(graph)).toBe(true)
    const result = new Float32Array(4)
    ggml.backend_tensor_get(product, result, 0, 16)
    expect([...result]).toEqual([7, 16, 2, 5])
  })

  it('refuses a second build in one process, and a folder without libraries', () => {
    expect(() => openGgml('/another/build')).toThrow('Another build of llama.cpp is loaded already.')
  })
})

describe('the CPU kernels', () => {
  it('are told by their instructions, from a process of their own as here', async () => {
    const ggml = openGgml(folder)
    using backend = new Backend(ggml, 'cpu')
    const here = ggml.cpuFeatures(backend.handle)
    const common = { x64: 'SSE3', arm64: 'NEON' }[process.arch as string]
    if (common !== undefined) expect(here).toContain(common)
    expect(await readCpuFeatures(folder, process.env as Record<string, string>)).toEqual(here)
  })

  it('of a build that can not be loaded are told with the reason', async () => {
    await expect(readCpuFeatures(tmpdir(), {})).rejects.toThrow('are incomplete (base)')
  })
})
