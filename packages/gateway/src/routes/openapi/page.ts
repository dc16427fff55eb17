import {
  type JsonSchema,
  type OpenApiDocument,
  type Operation,
  type OperationTag,
  errorStatusesOf,
  isSchema,
  operations,
  schemaOf,
  statusMeanings,
  operationTags,
} from '@petals-chat/api'
import { html } from 'hono/html'
import { fieldsOf, type Field } from './fields.ts'

export interface PageOptions {
  readonly document: OpenApiDocument
  /** The address of this server with its base path, for the examples. */
  readonly origin: string
  /** A model for the examples. */
  readonly model: string
}

/** Renders the document as a page without scripts, inline styles or content from other origins. */
export function documentationPage(options: PageOptions) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Petals Chat: HTTP API</title>
        <link rel="stylesheet" href="docs/style.css" />
      </head>
      <body>
        <main>
          <h1>Petals Chat: HTTP API</h1>
          <p>
            Version ${options.document.info.version}. Programs find the same at
            <a href="openapi.json">openapi.json</a>. Every response has an <code>x-request-id</code>, which
            identifies the request in the server’s log.
          </p>
          <nav aria-label="Routes">
            <ul>
              ${operations.map(
                ({ id, method, path }) =>
                  html`<li>
                    <a href="#${id}"><span class="method">${method.toUpperCase()}</span> ${path}</a>
                  </li>`,
              )}
            </ul>
          </nav>
          ${operationTags.map((tag) => tagSection(tag, options))} ${typesSection(options)}
        </main>
      </body>
    </html>`
}

const tagSection = (tag: OperationTag, options: PageOptions) =>
  html`<section>
    <h2>${tag.name}</h2>
    <p>${tag.description}</p>
    ${operations
      .filter((operation) => operation.tag === tag.name)
      .map((operation) => operationSection(operation, options))}
  </section>`

function operationSection(operation: Operation, options: PageOptions) {
  const { id, method, path, summary, description, request } = operation
  const errorStatuses = errorStatusesOf(operation)
  const { schemas } = options.document.components
  const body = request && fieldsOf(schemaOf(Object.values(request)[0]!), schemas)
  const answer = Object.values(operation.responses[200]?.content ?? {}).find(isSchema)
  return html`<section>
    <h3 id="${id}"><span class="method">${method.toUpperCase()}</span> ${path}</h3>
    <p>${summary}.</p>
    ${description ? html`<p>${marked(description)}</p>` : ''} ${parameterTable(operation, schemas)}
    ${body ? table('Body', body) : ''} ${answer ? table('Answer', fieldsOf(schemaOf(answer), schemas)) : ''}
    ${
      errorStatuses.length > 0
        ? html`<p>
            Errors:
            ${errorStatuses.map((status) => html`<code>${status}</code> ${marked(statusMeanings[status] ?? '')} `)}
          </p>`
        : ''
    }
    ${method === 'post' || !path.includes('/api/v2') ? html`<pre><code>${curl(operation, options)}</code></pre>` : ''}
  </section>`
}

/** The named types as JSON schemas: their alternatives and nested fields don't fit a table. */
const typesSection = ({ document }: PageOptions) =>
  html`<section>
    <h2>Types</h2>
    ${Object.entries(document.components.schemas).map(
      ([name, schema]) =>
        html`<details id="type-${name}">
          <summary>${name}</summary>
          <pre><code>${JSON.stringify(schema, undefined, 2)}</code></pre>
        </details>`,
    )}
  </section>`

function parameterTable({ parameters }: Operation, schemas: Readonly<Record<string, JsonSchema>>) {
  if (!parameters) return ''
  const properties = parameters.map(({ name, schema }) => [name, schemaOf(schema)] as const)
  const required = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)
  const described = parameters.map(({ name, description }) => [name, description] as const)
  const fields = fieldsOf({ type: 'object', properties: Object.fromEntries(properties), required }, schemas)
  const descriptions = new Map(described)
  return table(
    'Parameters',
    fields.map((field) => ({ ...field, description: descriptions.get(field.name) ?? field.description })),
  )
}

const table = (title: string, fields: readonly Field[]) =>
  html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">${title}</th>
          <th scope="col">Type</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        ${fields.map(
          ({ name, type, required, description }) =>
            html`<tr>
              <td><code>${name}</code>${required ? ' (required)' : ''}</td>
              <td class="type">${linked(type)}</td>
              <td>${marked(description)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`

/** Links the names of types, which begin with a capital letter. */
const linked = (type: string) =>
  type
    .split(/\b([A-Z]\w+)\b/)
    .map((part, index) => (index % 2 === 1 ? html`<a href="#type-${part}">${part}</a>` : html`${part}`))

/** Renders `code` within a text. */
const marked = (text: string) =>
  text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`))

function curl({ method, path, example, request }: Operation, { origin, model }: PageOptions): string {
  const url = origin + path.replace('{model}', encodeURIComponent(model)).replace('{answer}', 'ANSWER')
  if (method === 'get') return `curl ${quoted(url)}`
  if (request === undefined) return `curl -X ${method.toUpperCase()} ${quoted(url)}`
  const body = { model, ...example }
  if (request && 'application/x-www-form-urlencoded' in request) {
    const data = Object.entries(body).map(
      ([name, value]) => `--data-urlencode ${quoted(`${name}=${String(value)}`)}`,
    )
    return [`curl ${quoted(url)}`, ...data].join(' \\\n  ')
  }
  return `curl ${quoted(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`
}

/** Quotes a text as one word of a POSIX shell. */
const quoted = (text: string): string =>
  /^[\w:/.%-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
