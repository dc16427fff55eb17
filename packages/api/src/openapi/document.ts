import { answerOperations, answerTag } from '../openai/answer-operations.ts'
import { type JsonSchema, componentSchemas, schemaOf } from './components.ts'
import { healthOperations, healthTag } from '../health.ts'
import { legacyOperations, legacyTag } from '../legacy.ts'
import { openaiOperations, openaiTag } from '../openai/openai-operations.ts'
import { swarmOperations, swarmTag } from '../swarm/swarm-operations.ts'
import { type Content, isSchema, type Operation, statusMeanings } from '../operation.ts'

export const operations: readonly Operation[] = [
  ...openaiOperations,
  ...answerOperations,
  ...legacyOperations,
  ...swarmOperations,
  ...healthOperations,
]
export const tags = [openaiTag, answerTag, legacyTag, swarmTag, healthTag]

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: JsonSchema
  readonly servers: readonly { readonly url: string }[]
  readonly tags: typeof tags
  readonly paths: Readonly<Record<string, JsonSchema>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

/** All HTTP routes of this server, which is shown at `basePath`, as an OpenAPI 3.1 document. */
export function openApiDocument(version: string, basePath: string): OpenApiDocument {
  const byPath = Map.groupBy(operations, ({ path }) => path)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Petals Chat',
      version,
      summary: 'Chat with, and build on, language models served by a Petals swarm or by this machine.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: basePath }],
    tags,
    paths: Object.fromEntries([...byPath].map(([path, group]) => [path, pathItem(group)])),
    components: { schemas: componentSchemas() },
  }
}

const pathItem = (group: readonly Operation[]): JsonSchema =>
  Object.fromEntries(group.map((operation) => [operation.method, describeOperation(operation)]))

function describeOperation(operation: Operation): JsonSchema {
  const { id, tag, summary, description, parameters, request } = operation
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(parameters && {
      parameters: parameters.map(({ schema, ...parameter }) => ({
        ...parameter,
        required: parameter.in === 'path',
        schema: schemaOf(schema),
      })),
    }),
    ...(request && { requestBody: { required: true, content: mapValues(request, mediaType) } }),
    responses: { ...mapValues(operation.responses, answer), ...errorAnswers(operation) },
  }
}

const answer = ({ description, content }: Operation['responses'][string]): JsonSchema => ({
  description,
  headers: {
    'x-request-id': { description: 'Names this request in the server’s log.', schema: { type: 'string' } },
  },
  ...(Object.keys(content).length > 0 && { content: mapValues(content, mediaType) }),
})

const errorAnswers = ({ error, errorStatuses }: Operation): JsonSchema =>
  Object.fromEntries(
    errorStatuses.map((status) => [
      status,
      { description: statusMeanings[status], content: { 'application/json': mediaType(error) } },
    ]),
  )

const mediaType = (content: Content): JsonSchema => ({
  schema: isSchema(content) ? schemaOf(content) : { description: content.text },
})

const mapValues = <Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value) => Result,
): Readonly<Record<string, Result>> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
