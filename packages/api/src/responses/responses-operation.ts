import type { OperationTag } from '../operation.ts'

export const responsesTag: OperationTag = {
  name: 'Responses API',
  description:
    'OpenAI’s newer API, which coding agents speak. Responses are kept in the memory of this server for a while ' +
    '(`server.responses` of the configuration), each for the caller that made it. Fields without effect on the answer are ' +
    'ignored; fields that would change it and can’t be honoured, and unknown fields, are refused by name.',
}
