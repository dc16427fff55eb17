import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

/** Fonts and images are already compressed. */
const compressible = /\.(?:html|js|css|svg|json|webmanifest)$/
/** A smaller saving is not worth it. */
const MIN_SAVING = 0.9

const encoders: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  br: (bytes) =>
    brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  gz: (bytes) => gzipSync(bytes, { level: 9 }),
}

/** Writes `.br` and `.gz` files beside the files of the build: the gateway sends them to browsers that accept them. */
export function precompress(): Plugin {
  let outDir = ''
  return {
    name: 'petals-chat-precompress',
    apply: 'build',
    configResolved: (config) => {
      outDir = join(config.root, config.build.outDir)
    },
    // Not earlier: Vite copies the files of `public/` without notifying plugins.
    closeBundle: { order: 'post', handler: () => compressFolder(outDir) },
  }
}

function compressFolder(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    // The manifest of the build is for tools only.
    if (!entry.isFile() || !compressible.test(entry.name) || entry.parentPath.endsWith('.vite')) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    for (const [ending, encode] of Object.entries(encoders)) {
      const encoded = encode(bytes)
      if (encoded.length < bytes.length * MIN_SAVING) writeFileSync(`${path}.${ending}`, encoded)
    }
  }
}
