import { modelSpecSchema } from '@petals-chat/engine/model-spec'
import { z } from 'zod'

/** The `llama:` section of petals-chat.yaml. Defaults live here and nowhere else. */
export const llamaConfigSchema = z.strictObject({
  /** `auto` never fails: without a usable GPU it means the CPU. */
  gpu: z
    .enum(['auto', 'off', 'cuda', 'vulkan', 'metal'])
    .default('auto')
    .describe(
      'Where models run: auto takes the best that works here, off only the CPU; the others must be there.',
    ),
  gpuLayers: z
    .int()
    .min(0)
    .optional()
    .describe("Layers of a model on the GPU; default as many as fit into the GPU's memory."),
  /** More threads than cores make llama.cpp hundreds of times slower: its threads wait for each other by spinning. */
  threads: z
    .int()
    .min(1)
    .max(512)
    .optional()
    .describe(
      'Threads that compute; default the cores that this process may use, fewer while others use them too.',
    ),
  /** Each one costs its own share of the KV cache from the start. */
  sequences: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe('Sessions that can be open at once on each model; default 4, fewer if memory is short.'),
  /** 8192 holds long dialogues and files, and is what the embedded model was trained for; reading more takes a CPU a minute. */
  contextLength: z
    .int()
    .min(64)
    .optional()
    .describe(
      "Tokens that one session can hold; default the model's own limit, but at most 8192 on a CPU and 16384 on a GPU, less if memory is short.",
    ),
  /** Where CPUs and small GPUs reach their full speed; llama.cpp's own default is 512 per step too. */
  batchSize: z
    .int()
    .min(16)
    .max(8192)
    .default(512)
    .describe('Tokens that one step computes at most, of all sessions together.'),
  /** A queue that takes longer than a client waits only wastes work. */
  maxQueue: z
    .int()
    .min(0)
    .default(64)
    .describe('Embedding requests that may wait on each model; more are refused as "busy".'),
  /** A garbage collection or a page fault takes well under a second; ten are only reached by a process that hangs. */
  unresponsiveTimeoutMs: z
    .int()
    .min(200)
    .default(10_000)
    .describe('A model process that says nothing for so long is ended and started again, in milliseconds.'),
  /** Models larger than the memory are read from the disk for each step: that is slow, yet no fault. */
  stepTimeoutMs: z
    .int()
    .min(1000)
    .default(120_000)
    .describe('A single step that takes so long counts as hung, in milliseconds.'),
  /** Choosing a token takes well under a millisecond; only a grammar can make it take seconds, or for ever. */
  choiceTimeoutMs: z
    .int()
    .min(100)
    .default(2000)
    .describe(
      'Milliseconds that the choice of one token may take. A grammar that takes longer is refused, and the other answers of the model go on in a new process.',
    ),
  /** A crash that comes back after five attempts won't be cured by a sixth. */
  maxRestarts: z
    .int()
    .min(0)
    .default(5)
    .describe(
      'Restarts of a model process within ten minutes; after that the model is unavailable for a minute.',
    ),
})

export type LlamaConfig = Readonly<z.output<typeof llamaConfigSchema>>
/** The section as a person writes it. */
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
/** The entry as a person writes it. */
export type LlamaModelInput = z.input<typeof llamaModelSchema>
