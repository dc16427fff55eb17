import { describe, expect, it } from 'vitest'
import { configSchema } from '../config/schema.ts'
import { convertConfig } from './convert-config.ts'
import { readAssignments } from './python-values.ts'

const newest = `
import torch
from petals.constants import PUBLIC_INITIAL_PEERS

from data_structures import ModelBackendConfig, ModelChatConfig, ModelConfig, ModelFrontendConfig

default_chat = ModelChatConfig(
    max_session_length=8192,
    sep_token="###",
    stop_token="###",
    extra_stop_sequences=["</s>", "\\n\\nHuman"],  # a comment with "quotes" and ]
    generation_params=dict(do_sample=1, temperature=0.6, top_p=0.9),
)

MODEL_FAMILIES = {
    "Llama 2": [
        ModelConfig(
            ModelBackendConfig(repository="petals-team/StableBeluga2", aliases=["stabilityai/StableBeluga2"]),
            ModelFrontendConfig(
                name="Stable Beluga 2 (70B)",
                model_card="https://example.org/card",
                license="https://example.org/licence",
            ),
            default_chat,
        ),
        # ModelConfig(ModelBackendConfig(repository="off/off"), None, default_chat),
    ],
    "Falcon": [
        ModelConfig(
            ModelBackendConfig(repository="tiiuae/falcon-180B-chat", public_api=False),
            ModelFrontendConfig(name="Falcon 180B-Chat"),
            ModelChatConfig(
                max_session_length=2 * 1024, sep_token='\\n', stop_token='\\n',
                generation_params=default_chat.generation_params,
            ),
        ),
    ],
    "Llama": [
        ModelConfig(ModelBackendConfig(repository="huggyllama/llama-65b", adapter="timdettmers/guanaco-65b"), None, None),
    ],
}

INITIAL_PEERS = PUBLIC_INITIAL_PEERS
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

try:
    from cpufeature import CPUFeature
    has_avx512 = CPUFeature["AVX512f"]
except ImportError:
    has_avx512 = False

if DEVICE == "cuda":
    TORCH_DTYPE = "auto"
else:
    TORCH_DTYPE = torch.float32

STEP_TIMEOUT = 5 * 60
`

const older = `
@dataclass
class ModelInfo:
    repo: str
    adapter: Optional[str] = None

MODELS = [
    ModelInfo(repo="petals-team/StableBeluga2", name="stabilityai/StableBeluga2"),
    ModelInfo(repo="bigscience/bloomz"),
]
DEFAULT_MODEL_NAME = 'bigscience/bloomz'
INITIAL_PEERS = ['/ip4/10.1.2.3/tcp/31234/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44']
MAX_SESSIONS = 50
`

describe('a config.py of chat.petals.dev', () => {
  it('becomes a configuration', () => {
    const { config, notes } = convertConfig(newest)
    expect(config).toEqual({
      server: { stepTimeoutMs: 300_000, cors: { legacy: ['*'] } },
      swarm: { initialPeers: 'public' },
      models: [
        {
          id: 'petals-team/StableBeluga2',
          aliases: ['stabilityai/StableBeluga2'],
          engine: 'petals',
          source: 'hf:petals-team/StableBeluga2',
          family: 'Llama 2',
          displayName: 'Stable Beluga 2 (70B)',
          modelCard: 'https://example.org/card',
          license: 'https://example.org/licence',
          maxSessionLength: 8192,
          dialogue: { sepToken: '###', stopToken: '###', extraStopSequences: ['</s>', '\n\nHuman'] },
          generation: { do_sample: 1, temperature: 0.6, top_p: 0.9 },
        },
        {
          id: 'tiiuae/falcon-180B-chat',
          engine: 'petals',
          source: 'hf:tiiuae/falcon-180B-chat',
          publicApi: false,
          family: 'Falcon',
          displayName: 'Falcon 180B-Chat',
          maxSessionLength: 2048,
          dialogue: { sepToken: '\n', stopToken: '\n' },
          generation: { do_sample: 1, temperature: 0.6, top_p: 0.9 },
        },
      ],
    })
    expect(notes).toEqual([
      'timdettmers/guanaco-65b is left out: adapters are not supported.',
      expect.stringContaining('DEVICE'),
    ])
    expect(configSchema.safeParse(config).success).toBe(true)
  })

  it('is also read in its older form', () => {
    const { config } = convertConfig(older)
    expect(config).toMatchObject({
      server: { sessions: { maxPerModel: 50 } },
      swarm: { initialPeers: [expect.stringContaining('/ip4/10.1.2.3/')] },
      models: [
        { id: 'bigscience/bloomz' },
        { id: 'petals-team/StableBeluga2', aliases: ['stabilityai/StableBeluga2'] },
      ],
    })
    expect(configSchema.safeParse(config).success).toBe(true)
  })
})

describe('Python source', () => {
  const value = (text: string) => readAssignments(`A = ${text}\n`).get('A')

  it.each([
    ['"a" "b" + "c"', 'abc'],
    ["r'\\n' '\\n\\x41\\u00e9'", '\\n\nAé'],
    ['"""two\nlines"""', 'two\nlines'],
    ['-1_000 * 2 + 0.5e1', -1995],
    ['[1, [True, None],]', [1, [true, null]]],
    ['(1, 2) + (3,)', [1, 2, 3]],
  ])('has the value of %s', (text, expected) => expect(value(text)).toEqual(expected))

  it.each(['[1, 2', '{1: 2', '"a" * 3', 'f"{x}"', '[1 2]', '~1', `${'['.repeat(1000)}`])(
    'refuses %s',
    (text) => {
      expect(() => value(text)).toThrow(expect.objectContaining({ name: 'PythonSyntaxError' }) as Error)
    },
  )

  it('is never run, and what is indented says nothing', () => {
    const values = readAssignments(`A = __import__('os').system('touch x')
if A:
    B = 1
def f():
    C = [
D == 1
E = 2`)
    expect([...values.keys()]).toEqual(['A', 'E'])
  })

  it('with keys of prototypes is as harmless as other text', () => {
    const { config } = convertConfig(
      `MODELS = [ModelInfo(repo="a/b", generation_params={"__proto__": {"x": 1}, "constructor": 2})]`,
    )
    expect(({} as { x?: number }).x).toBeUndefined()
    expect(config['models']).toHaveLength(1)
  })

  it('of a million characters is read in time that grows with its length', () => {
    expect(readAssignments(`A = [${'1,'.repeat(200_000)}]\n${'"'.repeat(100_000)}`).get('A')).toHaveLength(
      200_000,
    )
  })
})
