import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { safetensorsFile, toyTensor } from '../../../packages/petals/src/layers/testing/toy-checkpoint.ts'

const [vocabulary, hidden] = [16_000, 256]

const config = {
  model_type: 'llama',
  vocab_size: vocabulary,
  hidden_size: hidden,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 2048,
  bos_token_id: 1,
  eos_token_id: 2,
}

/** GPT-2's characters for the 256 bytes. */
function alphabet(): readonly string[] {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
}

const special = ['<unk>', '<s>', '</s>'].map((content, id) => ({
  ...{ id, content, special: true },
  ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
}))
const pieces = [...special.map(({ content }) => content), ...alphabet()]
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }

/** A token for each byte. */
const tokenizer = {
  version: '1.0',
  added_tokens: special,
  normalizer: null,
  pre_tokenizer: byteLevel,
  post_processor: null,
  decoder: byteLevel,
  model: { type: 'BPE', vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges: [] },
}

/** The files of a model whose blocks a swarm would serve, with a head that takes a moment to load. */
export async function writeToySwarmModel(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const write = (name: string, content: string | Buffer): Promise<void> =>
    writeFile(path.join(folder, name), content)
  await write('config.json', JSON.stringify(config))
  await write('tokenizer.json', JSON.stringify(tokenizer))
  await write('tokenizer_config.json', JSON.stringify({ bos_token: '<s>', eos_token: '</s>' }))
  const tensors = {
    'model.embed_tokens.weight': toyTensor([vocabulary, hidden], 1, 'bfloat16'),
    'model.norm.weight': toyTensor([hidden], 2, 'bfloat16'),
    'lm_head.weight': toyTensor([vocabulary, hidden], 3, 'bfloat16'),
  }
  await write('model.safetensors', safetensorsFile(tensors))
  return folder
}
