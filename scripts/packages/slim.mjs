// node scripts/packages/slim.mjs FOLDER removes from an installation what this platform can't use: the image of the
// Dockerfile would be twice as large with it.
import { globSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** What goes, below the folder: libraries of GPUs, llama.cpp's sources, compilers, Node itself, what debuggers read. */
export function unusedPaths(folder) {
  const patterns = [
    'node_modules/@node-llama-cpp/*-{vulkan,cuda,cuda-ext}',
    'node_modules/node-llama-cpp/llama/*.bundle',
    'node_modules/node-{linux,darwin,win,bin}-*',
    'node_modules/typescript',
    'node_modules/.cache',
    'node_modules/**/*.{map,d.ts,d.mts,d.cts}',
    'packages/*/src',
    'packages/cli/bundle/*.map',
    'packages/*/node_modules/.cache',
  ]
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: folder }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? '.'
  for (const place of unusedPaths(folder)) rmSync(path.join(folder, place), { recursive: true, force: true })
}
