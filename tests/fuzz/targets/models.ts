import {
  createJinjaChatTemplate,
  InvalidRequestError,
  ModelUnavailableError,
} from '../../../packages/engine/src/index.ts'
import { checkUtf8 } from '../../../packages/engine/src/testing/index.ts'
import { GgufFormatError, MoreBytesNeeded } from '../../../packages/llama/src/gguf/byte-reader.ts'
import { checkModel } from '../../../packages/llama/src/gguf/check-model.ts'
import { parseGgufHeader } from '../../../packages/llama/src/gguf/gguf-header.ts'
import { describeModel } from '../../../packages/llama/src/gguf/gguf-info.ts'
import { tinyModel, writeGguf } from '../../../packages/llama/src/testing/tiny-gguf.ts'
import { GgufTokenizer } from '../../../packages/llama/src/tokenizer/gguf-tokenizer.ts'
import { parseArchitecture } from '../../../packages/petals/src/layers/architecture.ts'
import { PickleError } from '../../../packages/petals/src/layers/pytorch/pickle.ts'
import { readStateDict } from '../../../packages/petals/src/layers/pytorch/state-dict.ts'
import { parseHeader } from '../../../packages/petals/src/layers/safetensors.ts'
import { readTokenizerText } from '../../../packages/petals/src/layers/tokenizer-text.ts'
import { createTokenizer } from '../../../packages/petals/src/layers/tokenizer.ts'
import type { FuzzTarget } from '../fuzz.ts'
import { jsonMutant } from '../json-mutant.ts'

const target = (
  name: string,
  seeds: readonly (Uint8Array | object | string)[],
  run: (bytes: Uint8Array) => unknown,
): FuzzTarget => ({
  name: `model-${name}`,
  seeds: seeds.map((seed) =>
    seed instanceof Uint8Array ? seed : Buffer.from(typeof seed === 'string' ? seed : JSON.stringify(seed)),
  ),
  run,
  refusals: [ModelUnavailableError, InvalidRequestError, GgufFormatError, MoreBytesNeeded, PickleError],
})

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const config = {
  model_type: 'llama',
  vocab_size: 270,
  hidden_size: 64,
  num_hidden_layers: 2,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: [2, 3],
}
const architecture = parseArchitecture(config, 'the test')

const tokenizer = {
  added_tokens: [
    { id: 0, content: '<s>', special: true, lstrip: false, rstrip: true, normalized: false },
    { id: 8, content: 'ab ', special: false, lstrip: true, rstrip: false, normalized: true },
  ],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      { type: 'NFKC' },
    ],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: { Regex: "'s| ?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+" },
        behavior: 'Isolated',
        invert: false,
      },
      { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true },
      { type: 'Digits', individual_digits: true },
    ],
  },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
  },
  decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] },
  model: {
    type: 'BPE',
    unk_token: '<s>',
    byte_fallback: true,
    vocab: { '<s>': 0, '▁': 1, a: 2, b: 3, ab: 4, '▁ab': 5, '<0x41>': 6, s: 7 },
    merges: ['a b', ['▁', 'ab']],
  },
}
const byteLevel = {
  ...tokenizer,
  normalizer: null,
  decoder: { type: 'ByteLevel' },
  pre_tokenizer: { type: 'ByteLevel', use_regex: true },
  // Merges of one form, which are read from the text.
  model: { ...tokenizer.model, merges: ['a b', '▁ ab'] },
}

const sample = "ab's <s> 1234\n\n  é👩‍👩‍👧 a  b\u0301 "

function runTokenizer(text: string): void {
  const { content, vocabulary } = readTokenizerText(text, 'the test')
  const config = { bos_token: '<s>' }
  const contents = { tokenizer: content, vocabulary, config, generationConfig: undefined }
  const made = createTokenizer(contents, architecture, 'the test')
  made.encode(sample, { addSpecialTokens: true })
  checkUtf8(made, sample)
}

function runGguf(bytes: Uint8Array): void {
  const header = parseGgufHeader(bytes, bytes.byteLength)
  checkModel(header)
  describeModel('/mutant.gguf', bytes.byteLength, header)
  checkUtf8(new GgufTokenizer(header), sample)
}

const templates = [
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m.content | trim + '<|im_end|>' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  "{%- set ns = namespace(found=false) -%}{% macro show(x, n=2) %}{{ x | upper ~ n }}{% endmacro %}{%- for m in messages[1:] if m.role != 'x' -%}" +
    "{% if loop.first and '</think>' in m.content %}{% set ns.found = true %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}{% elif not ns.found %}" +
    "{{ show(m.content | replace('a', 'b')) }}{% else %}{{ raise_exception('No') }}{% endif %}{% endfor %}{{ tools | tojson(indent=4) if tools else '' }}",
  "{{ bos_token }}{% for x in range(3) %}{{ [x, 2 ** x, x // 2] | join(', ') }}{% endfor %}{{ {'a': [1.5, none]} | items | list | length }}{{ strftime_now('%d %b') | indent(2, true) }}",
]

function runTemplate(bytes: Uint8Array): void {
  const template = createJinjaChatTemplate({ template: textOf(bytes), bosText: '<s>', eosText: '</s>' })
  template.render([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'a</think>\nb' },
  ])
}

/** A state dictionary with one tensor `w` of [2, 2] float32, as torch.save pickles it. */
const text = (value: string): string => `X${String.fromCharCode(value.length)}\0\0\0${value}`
const stateDict =
  `\x80\x02}(${text('w')}ctorch._utils\n_rebuild_tensor_v2\n((${text('storage')}ctorch\nFloatStorage\n${text('0')}${text('cpu')}K\x04tQ` +
  'K\0(K\x02K\x02t(K\x02K\x01t\x89ccollections\nOrderedDict\n)RtRu.'

const safetensorsHeader = {
  __metadata__: { format: 'pt' },
  w: { dtype: 'BF16', shape: [2, 3], data_offsets: [0, 12] },
  n: { dtype: 'F32', shape: [], data_offsets: [12, 16] },
}

function runSafetensors(header: string): void {
  for (const entry of parseHeader(header, 'model.safetensors', 'the test', 8).values()) entry()
}

/** Instructions for `jsonMutant`. */
const instructions = Array.from({ length: 16 }, (_, index) =>
  Uint8Array.from({ length: 8 }, (_, at) => (index * 37 + at * 91) & 0xff),
)

/** The readers of what comes with a model's files. */
export const modelTargets: readonly FuzzTarget[] = [
  target('gguf', [writeGguf(tinyModel)], runGguf),
  target('template', templates, runTemplate),
  target('pickle', [Buffer.from(stateDict, 'latin1')], readStateDict),
  target('tokenizer-text', [tokenizer, byteLevel], (bytes) => runTokenizer(textOf(bytes))),
  target('tokenizer', instructions, (bytes) => runTokenizer(JSON.stringify(jsonMutant(tokenizer, bytes)))),
  target('tokenizer-byte-level', instructions, (bytes) =>
    runTokenizer(JSON.stringify(jsonMutant(byteLevel, bytes))),
  ),
  target('config', instructions, (bytes) => parseArchitecture(jsonMutant(config, bytes), 'the test')),
  target('safetensors-text', [safetensorsHeader], (bytes) => runSafetensors(textOf(bytes))),
  target('safetensors', instructions, (bytes) =>
    runSafetensors(JSON.stringify(jsonMutant(safetensorsHeader, bytes)) ?? ''),
  ),
]
