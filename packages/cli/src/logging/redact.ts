/**
 * What looks like a value: tokens of the Hub, keys in OpenAI's style, and what stands behind `Bearer`, which is any text in a
 * header, and in prose only what is no word. Names stay: advice that says [redacted] for HF_ENDPOINT is no advice.
 */
const values = [
  /\b(hf_)(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{8,}|\b(hf_)[A-Za-z0-9]{20,}/g,
  /\b(sk-)(?=[\w-]*\d)[\w-]{8,}|\b(sk-)[\w-]{20,}/g,
  /\b(authorization\\?["']?\s*[:=]\s*\\?["']?bearer\s+)[\w.~+/-]{8,}=*/gi,
  /\b(bearer\s+)(?=[\w.~+/-]*\d)[\w.~+/-]{8,}=*|\b(bearer\s+)[\w.~+/-]{20,}=*/gi,
]

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
    values.reduce(
      (text, value) =>
        text.replace(value, (_, first?: string, second?: string) => `${first ?? second ?? ''}${redacted}`),
      known.reduce((text, secret) => text.replaceAll(secret, redacted), line),
    )
}
