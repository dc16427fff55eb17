/** Tokens of the Hub, keys in OpenAI's style, and whatever stands behind `Bearer`. */
const tokens = /\b(hf_|sk-)[A-Za-z0-9_-]{8,}|\b(Bearer\s+)[A-Za-z0-9._~+/-]{8,}=*/gi

/** Fields that are secret whatever is in them, on the first two levels of a record. */
export const secretFields: readonly string[] = [
  'token',
  'apiKey',
  'apiKeys',
  'authorization',
  'cookie',
  'password',
].flatMap((field) => [field, `*.${field}`, `*.headers.${field}`])

export const redacted = '[redacted]'

/** Takes secrets out of a finished log line, wherever they got into it: a URL, an error's message, a header. */
export function createRedactor(secrets: readonly string[]): (line: string) => string {
  // A short "secret" would black out half of the log and protect nothing.
  const known = secrets.filter((secret) => secret.length >= 8)
  return (line) =>
    known
      .reduce((text, secret) => text.replaceAll(secret, redacted), line)
      .replace(tokens, (_, prefix?: string, bearer?: string) => `${prefix ?? bearer ?? ''}${redacted}`)
}
