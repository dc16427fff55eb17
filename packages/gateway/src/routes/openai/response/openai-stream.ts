import { openAIErrorBody } from '../../../error-response.ts'
import type { StreamDialect } from '../../../generation/stream/stream-options.ts'

export const openAIStream: StreamDialect = {
  pingFrame: ': ping\n\n',
  errorFrame: (description) => `data: ${JSON.stringify(openAIErrorBody(description))}\n\n`,
}
