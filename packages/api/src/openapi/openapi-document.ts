import {
  type Content,
  errorStatusesOf,
  isSchema,
  json,
  type Operation,
  type OperationTag,
  statusMeanings,
} from '../operation.ts'
import { operations, operationTags } from '../operations.ts'
import { componentSchemas, type JsonSchema, schemaOf } from './component-schemas.ts'

/** The parts of an OpenAPI 3.1 document that this API uses. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: JsonSchema & { readonly version: string }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly OperationTag[]
  readonly paths: Readonly<Record<string, JsonSchema>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

/**
 * All operations of a server as an OpenAPI 3.1 document.
 * @param version the server's version
 * @param basePath the path at which clients reach the server; `/` without a prefix
 */
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
    tags: operationTags,
    paths: Object.fromEntries([...byPath].map(([path, group]) => [path, pathItem(group)])),
    components: { schemas: componentSchemas() },
  }
}

const pathItem = (group: readonly Operation[]): JsonSchema =>
  Object.fromEntries(group.map((operation) => [operation.method, describeOperation(operation)]))

function describeOperation(operation: Operation): JsonSchema {
  const { id, tag, summary, description, parameters, request, messages } = operation
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
    responses: { ...mapValues(operation.responses, response), ...errorResponses(operation) },
    ...(messages && { 'x-websocket-messages': mapValues(messages, schemaOf) }),
  }
}

const response = ({ description, content }: Operation['responses'][number]): JsonSchema => ({
  description,
  headers: {
    'x-request-id': {
      description: 'Identifies this request in the server’s log.',
      schema: { type: 'string' },
    },
  },
  ...(Object.keys(content).length > 0 && { content: mapValues(content, mediaType) }),
})

const errorResponses = (operation: Operation): JsonSchema =>
  Object.fromEntries(
    errorStatusesOf(operation).map((status) => [
      status,
      { description: statusMeanings[status], content: mapValues(json(operation.error), mediaType) },
    ]),
  )

const mediaType = (content: Content): JsonSchema => ({ schema: contentSchema(content) })

function contentSchema(content: Content): JsonSchema {
  if (isSchema(content)) return schemaOf(content)
  return { ...('event' in content && schemaOf(content.event)), description: content.text }
}

const mapValues = <Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value) => Result,
): Readonly<Record<string, Result>> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
