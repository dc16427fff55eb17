import { InvalidRequestError } from '@petals-chat/engine'
import type { HonoRequest } from 'hono'
import type { z } from 'zod'
import { bodyText } from '../../body-text.ts'
import { describeJsonMistake } from '../../json-mistake.ts'
import { parseRequestJson } from '../../request-json.ts'
import { ignoredParameters } from './ignored.ts'
import { refuseUnsupported, type UnsupportedParameters } from './unsupported.ts'
import { describeIssues, noMessage, unknownField } from './zod-issue.ts'

/** Fields that this server does not know, for a model of another server that may. */
export interface Passed {
  readonly passed?: PassedFields | undefined
}

export interface PassedFields {
  readonly fields: Readonly<Record<string, unknown>>
  /** Why a model of this server can't take them; undefined if they would change nothing there. */
  readonly refusal: InvalidRequestError | undefined
}

/** Another model takes the place of the one that the fields are for. @throws InvalidRequestError if it does not know them */
export function requireNonePassed({ passed }: Passed): void {
  if (passed?.refusal !== undefined) throw passed.refusal
}

/** Names the fields that are passed on with a request, if its model is one of another server. */
export type PassOn = (request: { readonly model?: string | null | undefined }) => ReadonlySet<string>

/** Parses and checks the body of a request. @throws InvalidRequestError that names the field at fault. */
export async function parseRequest<Schema extends z.ZodObject>(
  request: Pick<HonoRequest, 'arrayBuffer' | 'header'>,
  schema: Schema,
  unsupported: UnsupportedParameters = {},
  passOn: PassOn = () => nothing,
): Promise<z.output<Schema> & Passed> {
  // The content type does not matter: curl's default is a form. The origin policy keeps out pages of other sites.
  const body = parseJson(await bodyText(request))
  const parsed = schema.safeParse(body, { reportInput: true, error: () => noMessage })
  if (!parsed.success) {
    const { message, ...where } = describeIssues(parsed.error.issues)
    throw new InvalidRequestError(message, where)
  }
  const [fields, rest] = divide(body as object, passOn(parsed.data))
  const check = (given: object): void => {
    refuseUnsupported(given, unsupported)
    refuseUnknown(given, [schema.shape, unsupported, ignoredParameters])
  }
  check(rest)
  if (Object.keys(fields).length === 0) return parsed.data
  return { ...parsed.data, passed: { fields, refusal: refusalOf(() => check(fields)) } }
}

function refusalOf(check: () => void): InvalidRequestError | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof InvalidRequestError) return error
    throw error
  }
}

const nothing: ReadonlySet<string> = new Set()

/** Divides the fields of a body into those of `names` and the others. */
function divide(
  body: object,
  names: ReadonlySet<string>,
): readonly [passed: Readonly<Record<string, unknown>>, rest: object] {
  if (names.size === 0) return [{}, body]
  const entries = Object.entries(body) as [string, unknown][]
  return [
    Object.fromEntries(entries.filter(([name, value]) => names.has(name) && value !== null)),
    Object.fromEntries(entries.filter(([name]) => !names.has(name))),
  ]
}

/** A client takes a field that is silently ignored for honoured. @throws InvalidRequestError that names the first unknown field. */
function refuseUnknown(body: object, known: readonly object[]): void {
  const param = Object.keys(body).find((name) => !known.some((table) => Object.hasOwn(table, name)))
  if (param === undefined) return
  const { message, ...where } = unknownField(param)
  throw new InvalidRequestError(message, where)
}

function parseJson(source: string): unknown {
  try {
    return parseRequestJson(source)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    const mistake = describeJsonMistake(source, cause)
    throw new InvalidRequestError(`The request body could not be parsed as JSON: ${mistake}.`, {
      reason: 'invalid_json',
    })
  }
}
