import { InvalidRequestError } from '@petals-chat/engine'

/** A parameter that would change the answer and that this server can't honour. */
export interface UnsupportedParameter {
  /** Values that switch the parameter off, besides null. */
  readonly off: readonly unknown[]
  /** What to use instead: the end of the error message. */
  readonly instead: string
}

export type UnsupportedParameters = Readonly<Record<string, UnsupportedParameter>>

export const never = (instead: string, ...off: readonly unknown[]): UnsupportedParameter => ({ off, instead })

/** @throws InvalidRequestError that names the first parameter of `body` that the table refuses. */
export function refuseUnsupported(body: object, table: UnsupportedParameters): void {
  for (const [param, value] of Object.entries(body) as [string, unknown][]) {
    // A request has few fields, and the table has many.
    if (value == null || !Object.hasOwn(table, param)) continue
    const { off, instead } = table[param]!
    if (off.some((harmless) => JSON.stringify(harmless) === JSON.stringify(value))) continue
    throw new InvalidRequestError(`Unsupported parameter: '${param}' is not supported here. ${instead}`, {
      param,
      reason: 'unsupported_parameter',
    })
  }
}
