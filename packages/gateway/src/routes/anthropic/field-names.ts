import { type FieldNames, inNames } from '../../generation/request/field-names.ts'

const names: FieldNames = [
  [/\bfunction\.parameters\b/g, 'input_schema'],
  [/\bfunction\.name\b/g, 'name'],
  [/\bresponse_format(\.json_schema\.schema)?\b/g, 'output_config.format'],
]

/** Runs the check of a chat request. @throws its InvalidRequestError in the names of the Messages API. */
export const inAnthropicNames = <Result>(check: () => Promise<Result>): Promise<Result> =>
  inNames(names, check)
