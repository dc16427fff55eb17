import { modelSpecSchema } from '@petals-chat/engine/model-spec'
import { z } from 'zod'

/** The `llama:` section of petals-chat.yaml. This is the only place that has its defaults. */
export const llamaConfigSchema = z.strictObject({
  /** `auto` never fails: without a usable GPU it selects the CPU. */
  gpu: z
    .enum(['auto', 'off', 'cuda', 'vulkan', 'metal'])
    .default('auto')
    .describe(
      'Where models run: auto takes the best device that works, off takes the CPU; with the others the model fails to load if that GPU is missing.',
    ),
  gpuLayers: z
    .int()
    .min(0)
    .optional()
    .describe("Layers of a model on the GPU; by default as many as fit into the GPU's memory."),
  /** More threads than cores make llama.cpp hundreds of times slower: its threads spin while they wait for each other. */
  threads: z
    .int()
    .min(1)
    .max(512)
    .optional()
    .describe(
      'Threads that compute; by default as many as the cores that this process may use, fewer while other programs use them.',
    ),
  /** Each session's share of the KV cache is allocated when the model loads. */
  sequences: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe('Sessions that can be open at once on each model; by default 4, fewer if memory is short.'),
  /** 8192 holds long dialogues and files, and is the length that the default model was trained for; a CPU takes a minute to read more. */
  contextLength: z
    .int()
    .min(64)
    .optional()
    .describe(
      "Tokens that one session can hold; by default the model's own limit, but at most 8192 on a CPU and 16384 on a GPU, fewer if memory is short.",
    ),
  /** CPUs and small GPUs reach their full speed at 512, which is also llama.cpp's own default per step. */
  batchSize: z
    .int()
    .min(16)
    .max(8192)
    .default(512)
    .describe('The most tokens that one step computes, for all sessions together.'),
  speculation: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe(
      'Guess the next tokens of an answer from its prompt and from the answer so far, and check several in one step. The model chooses every token as without. auto: where measurements show that it is faster. off: never.',
    ),
  /** Work for clients that have stopped waiting would be wasted. */
  maxQueue: z
    .int()
    .min(0)
    .default(64)
    .describe('Embedding requests that may wait for each model; further ones are refused as "busy".'),
  /** A garbage collection or a page fault takes well under a second; only a process that hangs is silent for ten. */
  unresponsiveTimeoutMs: z
    .int()
    .min(200)
    .default(10_000)
    .describe('A model process that sends nothing for this long is ended and restarted, in milliseconds.'),
  /**
   * Models larger than memory are read from the disk for each step: that is slow, but not a fault. `StepClock` judges steps
   * whose size is known by the earlier ones, so that this limit holds only for embeddings and slow machines.
   */
  stepTimeoutMs: z
    .int()
    .min(1000)
    .default(120_000)
    .describe(
      'A single step that takes this long counts as hung, in milliseconds. A step that computes for 2 s and for 30 times as long as the ones before it counts as hung at once.',
    ),
  /** Choosing a token takes well under a millisecond; only a grammar can make it take seconds, or never end. */
  choiceTimeoutMs: z
    .int()
    .min(100)
    .default(2000)
    .describe(
      'Milliseconds that the choice of one token may take. A grammar that takes longer is refused, and the other answers of the model continue in a new process.',
    ),
  /** If a crash occurs after each of five restarts, a sixth will not help. */
  maxRestarts: z
    .int()
    .min(0)
    .default(5)
    .describe(
      'Restarts of a model process within ten minutes; after one more crash the model is unavailable for a minute.',
    ),
})

export type LlamaConfig = Readonly<z.output<typeof llamaConfigSchema>>
/** The section as written in the file, before defaults are applied. */
export type LlamaConfigInput = Readonly<z.input<typeof llamaConfigSchema>>

/** An entry of `models:` for this engine. */
export const llamaModelSchema = modelSpecSchema.extend({
  engine: z.literal('llama').describe('llama: this machine runs the model (GGUF files).'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits, in lower case')
    .optional()
    .describe('Expected SHA-256 of a source that is a single file. A file with another hash is not used.'),
})

export type LlamaModelSpec = Readonly<z.output<typeof llamaModelSchema>>
/** The entry as written in the file, before defaults are applied. */
export type LlamaModelInput = z.input<typeof llamaModelSchema>
