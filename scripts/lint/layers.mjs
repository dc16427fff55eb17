// What may import what. eslint.config.js turns these tables into rules; docs/architecture.md shows them to people, and
// layers.test.ts holds both equal.

/** Which packages may import which. */
export const packageImports = {
  api: [],
  access: ['api'],
  engine: [],
  hub: ['engine'],
  llama: ['engine'],
  petals: ['engine'],
  tools: ['engine'],
  upstream: ['engine'],
  contribute: ['engine'],
  blocks: ['engine', 'llama', 'petals'],
  gateway: ['access', 'api', 'engine'],
  web: ['api'],
  cli: ['access', 'contribute', 'engine', 'gateway', 'hub', 'llama', 'petals', 'tools', 'upstream', 'web'],
}

/**
 * The folders of a package's `src`, and the sibling folders that each may import. Beside them it may import its own files
 * and those files of `src` itself that are `shared` (left out: all of them).
 */
export const layers = {
  api: {
    folders: {
      openai: ['swarm'],
      legacy: ['swarm'],
      access: [],
      swarm: [],
      anthropic: ['openai'],
      ollama: ['openai'],
      responses: ['openai'],
      openapi: ['anthropic', 'ollama', 'responses', 'openai', 'legacy', 'swarm'],
    },
  },
  engine: {
    folders: {
      models: [],
      swarm: [],
      chat: ['models'],
      'grammar/gbnf': [],
      'grammar/regular': ['grammar/gbnf'],
      'grammar/schema': ['grammar/regular', 'grammar/gbnf'],
      'grammar/match': ['grammar/gbnf', 'grammar'],
      grammar: [],
      generation: ['models', 'swarm'],
    },
  },
  hub: {
    folders: {
      http: [],
      cache: ['http'],
      hub: ['http', 'cache'],
      local: ['cache', 'hub'],
      wheel: ['cache'],
    },
  },
  contribute: {
    folders: {
      machine: [],
      model: [],
      join: [],
      environment: ['machine'],
      server: ['environment', 'model'],
    },
  },
  gateway: {
    folders: {
      access: [],
      tracing: [],
      usage: [],
      limits: ['access', 'tracing', 'usage'],
      swarm: [],
      sessions: ['swarm'],
      answers: ['access'],
      middleware: ['answers', 'access', 'limits'],
      server: ['middleware', 'access', 'limits'],
      generation: ['middleware', 'answers', 'access', 'limits', 'swarm'],
      routes: ['generation', 'server', 'middleware', 'answers', 'access', 'limits', 'usage', 'swarm'],
    },
  },
  cli: {
    folders: {
      terminal: [],
      logging: ['terminal'],
      config: ['logging'],
      models: ['config', 'terminal'],
      access: ['config', 'terminal'],
      serve: ['config', 'terminal'],
      chat: ['terminal'],
      swarm: ['config', 'terminal'],
      contribute: ['config', 'terminal'],
      doctor: ['serve', 'models', 'config', 'terminal'],
      migration: [],
      service: [],
      commands: [
        'access',
        'doctor',
        'migration',
        'service',
        'contribute',
        'swarm',
        'chat',
        'serve',
        'models',
        'config',
        'terminal',
      ],
    },
  },
  petals: {
    shared: ['errors.ts', 'config.ts'],
    folders: {
      tensor: [],
      wire: [],
      sampling: ['tensor'],
      p2p: ['wire'],
      layers: ['tensor'],
      rpc: ['p2p', 'wire'],
      dht: ['rpc', 'p2p', 'wire'],
      'dht-node': ['dht', 'rpc', 'p2p', 'wire'],
      blocks: ['dht', 'p2p', 'wire'],
      routing: ['blocks', 'dht', 'p2p'],
      inference: ['routing', 'blocks', 'rpc', 'p2p', 'tensor', 'wire'],
      audit: ['inference', 'routing', 'blocks', 'p2p', 'tensor'],
      swarm: ['routing', 'blocks', 'layers', 'dht', 'rpc', 'p2p', 'wire'],
      drafting: [],
      session: ['drafting', 'inference', 'sampling', 'layers', 'blocks', 'p2p', 'tensor'],
      model: ['session', 'drafting', 'swarm', 'audit', 'inference', 'layers', 'blocks', 'p2p'],
    },
  },
  llama: {
    shared: ['protocol.ts', 'config.ts'],
    folders: {
      machine: [],
      gguf: [],
      tokenizer: ['gguf'],
      worker: ['machine'],
      session: ['worker'],
      child: [],
    },
  },
  blocks: {
    folders: {
      model: [],
      native: [],
      weights: ['model'],
      graph: ['model', 'native'],
      child: ['graph', 'model', 'native'],
      engine: ['weights', 'model'],
      requests: ['engine'],
      sessions: ['requests', 'engine'],
      announce: ['engine'],
      selection: [],
      server: ['sessions', 'announce', 'selection', 'engine'],
    },
  },
  tools: {
    shared: ['config.ts', 'bounds.ts', 'tool-server.ts'],
    folders: {
      'built-in': [],
      mcp: [],
    },
  },
  upstream: {
    shared: ['config.ts'],
    folders: {
      http: [],
      stream: [],
      servers: ['http'],
      model: ['http', 'stream', 'servers'],
    },
  },
  web: {
    shared: ['store.ts'],
    folders: {
      api: [],
      chat: ['api'],
      i18n: ['chat'],
      ui: ['i18n'],
      markdown: ['ui', 'i18n'],
      storage: ['chat', 'api', 'i18n'],
      state: ['storage', 'chat', 'api', 'i18n'],
      swarm: ['api'],
      app: ['state', 'storage', 'chat', 'api', 'i18n'],
      components: ['app', 'state', 'storage', 'swarm', 'markdown', 'ui', 'chat', 'api', 'i18n'],
      testing: ['state', 'storage', 'chat', 'api'],
    },
  },
}

/** Heavy dependencies live in one place each. */
export const heavyDependencies = [
  { names: ['libp2p', '@libp2p/*', '@chainsafe/*', '@multiformats/*'], home: 'packages/petals/src/p2p' },
  { names: ['onnxruntime-node', '@huggingface/tokenizers'], home: 'packages/petals/src/layers' },
  { names: ['node-llama-cpp'], home: 'packages/llama' },
  { names: ['koffi'], home: 'packages/blocks/src/native' },
  { names: ['hono', 'hono/*', '@hono/*', 'ws', 'prom-client'], home: 'packages/gateway' },
  { names: ['eventsource-parser'], home: 'packages/upstream/src/stream' },
  { names: ['@modelcontextprotocol/*'], home: 'packages/tools' },
  { names: ['htmlparser2'], home: 'packages/tools/src/built-in' },
  { names: ['openid-client'], home: 'packages/gateway/src/access/sign-in' },
  { names: ['rate-limiter-flexible', 'iovalkey'], home: 'packages/gateway/src/limits' },
  { names: ['@opentelemetry/*'], home: 'packages/gateway/src/tracing' },
  { names: ['pino', 'pino-pretty', 'yaml', 'commander'], home: 'packages/cli' },
]
