import type { ChildProcess } from 'node:child_process'
import process from 'node:process'

type Environment = Readonly<Record<string, string | undefined>>

/** Words that, as a part of a variable's name, say that its value is a secret. */
const secretName =
  /(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY|KEY|AUTH|COOKIE|HEADERS)(?:_|$)/i
/** `scheme://user:password@host`, as in the addresses of databases and proxies. */
const secretUrl = /:\/\/[^/@\s]*:[^/@\s]*@/

export interface ChildEnvironmentOptions {
  /** The program connects to other machines: it keeps addresses of proxies and package indexes with their passwords (default false). */
  readonly usesNetwork?: boolean
}

/**
 * Returns the environment for a program that this process starts: all variables except those that look like secrets
 * (`HF_TOKEN`, `AWS_SECRET_ACCESS_KEY`, `REDIS_URL` with a password …). A program that needs one is passed it by name.
 */
export function childEnvironment(
  environment: Environment = process.env,
  { usesNetwork = false }: ChildEnvironmentOptions = {},
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => {
      const isSecret = value === undefined || secretName.test(name) || (!usesNetwork && secretUrl.test(value))
      return isSecret ? [] : [[name, value] as const]
    }),
  )
}

const children = new Set<ChildProcess>()

/**
 * Kills the child when this process exits, whatever the child is doing: a stopped or hung process would not notice that its
 * channel has closed. It covers every end of this process except SIGKILL and a crash.
 */
export function endWithThisProcess(child: ChildProcess): void {
  if (children.size === 0) process.on('exit', killAll)
  children.add(child)
  const forget = (): void => {
    if (children.delete(child) && children.size === 0) process.off('exit', killAll)
  }
  child.once('exit', forget)
  child.once('error', () => {
    if (child.pid === undefined) forget()
  })
}

function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}
