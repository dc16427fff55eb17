import type { Context } from 'hono'
import { bodyText } from '../../body-text.ts'
import { GatewayError } from '../../errors.ts'
import { describeJsonMistake } from '../../json-mistake.ts'
import { parseRequestJson } from '../../request-json.ts'
import type { RawParams } from './python-values.ts'

/** Far more than the eleven parameters of the original. */
const MAX_FORM_FIELDS = 1_000

/**
 * Returns the parameters of the query and the body, as Flask's `request.values` joins them: the query takes precedence,
 * and the first of several values counts. Beyond the original, the body may be a JSON object.
 */
export async function readParams(c: Context): Promise<RawParams> {
  const query = new URL(c.req.url).searchParams
  const body = c.req.method === 'POST' ? await readBody(c) : () => undefined
  return (name) => query.get(name) ?? body(name)
}

async function readBody(c: Context): Promise<RawParams> {
  const contentType = c.req.header('content-type')?.toLowerCase() ?? ''
  if (contentType.startsWith('application/json')) return jsonParams(await bodyText(c.req))
  if (contentType.startsWith('application/x-www-form-urlencoded')) {
    const text = await c.req.text()
    assertFewFields(text, '&')
    return formParams(new URLSearchParams(text))
  }
  if (contentType.startsWith('multipart/form-data')) return formParams(await multipart(c))
  if ((await c.req.text()).trim() === '') return () => undefined
  throw new GatewayError(
    'unsupported_media_type',
    'Send the parameters as a form (application/x-www-form-urlencoded, multipart/form-data) or as JSON (application/json).',
  )
}

/** Returns the parameters of a JSON object. @throws GatewayError if the text is not a JSON object. */
export function jsonParams(text: string): RawParams {
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GatewayError('bad_request', 'The message must be a JSON object, such as {"inputs": "Hello"}.')
  }
  return (name) => (Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined)
}

function parseJson(text: string): unknown {
  try {
    return parseRequestJson(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new GatewayError('bad_request', `The message is not JSON: ${describeJsonMistake(text, error)}.`)
  }
}

function formParams(form: URLSearchParams | FormData): RawParams {
  return (name) => {
    const value = form.get(name)
    return typeof value === 'string' ? value : undefined
  }
}

/** Bounds the fields of a form: parsing millions takes minutes, because the time grows with the square (Node 24). */
function assertFewFields(text: string, separator: string): void {
  if (text.split(separator, MAX_FORM_FIELDS + 1).length <= MAX_FORM_FIELDS) return
  throw new GatewayError('bad_request', `The form has more than ${MAX_FORM_FIELDS} fields.`)
}

async function multipart(c: Context): Promise<FormData> {
  const text = await c.req.text()
  assertFewFields(text, '\n--')
  try {
    return await new Response(text, { headers: { 'content-type': c.req.header('content-type')! } }).formData()
  } catch (error) {
    throw new GatewayError('bad_request', 'The multipart form is not well-formed.', { cause: error })
  }
}
