/**
 * Patterns of secret values: tokens of the Hub, keys in OpenAI's style, and the text after `Bearer`: any text in a header,
 * but in prose only a text that is not a word. Names are kept: advice with [redacted] for HF_ENDPOINT would be useless.
 */
const values = [
  /\b(hf_)(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{8,}|\b(hf_)[A-Za-z0-9]{20,}/g,
  /\b(sk-)(?=[\w-]*\d)[\w-]{8,}|\b(sk-)[\w-]{20,}/g,
  /\b(authorization\\?["']?\s*[:=]\s*\\?["']?bearer\s+)[\w.~+/-]{8,}=*/gi,
  /\b(bearer\s+)(?=[\w.~+/-]*\d)[\w.~+/-]{8,}=*|\b(bearer\s+)[\w.~+/-]{20,}=*/gi,
]

/** Fields on the first two levels of a record that are always secret. */
export const secretFields: readonly string[] = [
  'token',
  'apiKey',
  'apiKeys',
  'authorization',
  'cookie',
  'password',
].flatMap((field) => [field, `*.${field}`, `*.headers.${field}`])

export const redacted = '[redacted]'

/** Removes secrets from a finished log line, wherever they are: in a URL, an error's message, a header. */
export function createRedactor(secrets: readonly string[]): (line: string) => string {
  // A short "secret" would redact half of the log and protect nothing.
  const known = secrets.filter((secret) => secret.length >= 8)
  return (line) =>
    values.reduce(
      (text, value) =>
        text.replace(value, (_, first?: string, second?: string) => `${first ?? second ?? ''}${redacted}`),
      known.reduce((text, secret) => text.replaceAll(secret, redacted), line),
    )
}
