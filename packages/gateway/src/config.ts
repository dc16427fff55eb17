import { z } from 'zod'

/** The `server:` section of petals-chat.yaml. Defaults live here and nowhere else. */
export const gatewayConfigSchema = z.strictObject({
  /** Loopback unless told otherwise: nobody else on the network can use the models. */
  host: z.string().default('127.0.0.1'),
  /** The original's port. 0 takes any free one. */
  port: z.int().min(0).max(65535).default(5000),
})

export type GatewayConfig = Readonly<z.output<typeof gatewayConfigSchema>>
