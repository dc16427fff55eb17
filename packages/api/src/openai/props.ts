import { z } from 'zod'

const optionalNumber = z.number().optional()

/** Body of `GET /props`: the properties that llama-server shows, as far as they are known without loading the model. */
export const propsSchema = z.object({
  model_alias: z.string().describe('The id of the model.'),
  default_generation_settings: z.object({
    n_ctx: z.int().optional().describe('Size of the context in tokens. Known once the model is loaded.'),
    params: z.object({
      temperature: optionalNumber,
      top_k: optionalNumber,
      top_p: optionalNumber,
      min_p: optionalNumber,
      repeat_penalty: optionalNumber,
      frequency_penalty: optionalNumber,
      n_predict: optionalNumber,
    }),
  }),
  total_slots: z.int().describe('Answers at the same time.'),
  chat_template: z.string().optional().describe('In Jinja. Known once the model is loaded.'),
  bos_token: z.string().optional(),
  eos_token: z.string().optional(),
  modalities: z.object({ vision: z.literal(false), audio: z.literal(false) }),
  build_info: z.string().describe('The version of this server.'),
})

export type PropsBody = z.output<typeof propsSchema>
