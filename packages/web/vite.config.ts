import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'
import { precompress } from './build/precompress-plugin.ts'
import { scriptedGateway } from './dev/scripted-gateway.ts'
import { serviceWorker } from './pwa/service-worker-plugin.ts'

/**
 * `npm run dev -w packages/web` proxies the API to a gateway on PETALS_CHAT_URL (default: the product's own address);
 * PETALS_CHAT_SCRIPTED=1 answers from a script instead, for work on the page without a model.
 */
const gateway = process.env['PETALS_CHAT_URL'] ?? 'http://127.0.0.1:5000'
const scripted = process.env['PETALS_CHAT_SCRIPTED'] === '1'

/** Every browser that can run the page reads WOFF2: KaTeX's two older formats would be 40 unused files. */
const onlyWoff2: Plugin = {
  name: 'only-woff2',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('katex.min.css')) return undefined
    return code.replaceAll(/,url\([^)]+\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)/g, '')
  },
}

export default defineConfig({
  // Addresses are relative to the page: a proxy may serve it below any path.
  base: './',
  resolve: {
    alias: {
      // The browser variant decodes `&amp;` by innerHTML, which the gateway's CSP forbids (Trusted Types).
      'decode-named-character-reference': fileURLToPath(
        new URL('../../node_modules/decode-named-character-reference/index.js', import.meta.url),
      ),
    },
  },
  plugins: [
    react(),
    onlyWoff2,
    serviceWorker(['early.js', 'icon.svg', 'manifest.webmanifest']),
    precompress(),
    ...(scripted ? [scriptedGateway()] : []),
  ],
  build: {
    target: ['chrome123', 'firefox128', 'safari17.5'],
    // No data: URLs and no inline code: the gateway's CSP allows this origin's files and nothing else.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    sourcemap: false,
  },
  server: scripted
    ? {}
    : { proxy: { '/v1': gateway, '/api': { target: gateway, ws: true }, '/openapi.json': gateway } },
})
