import type { Gateway } from '@petals-chat/gateway'
import type { Config } from '../config/schema.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

/** Starts to listen. @throws CommandError that says which flag helps */
export async function listen(gateway: Gateway, { host, port }: Config['server']): Promise<number> {
  try {
    return (await gateway.listen()).port
  } catch (error) {
    throw describeListenError(error, host, port)
  }
}

function describeListenError(error: unknown, host: string, port: number): unknown {
  if (!(error instanceof Error) || error.name !== 'ListenError') return error
  const { cause } = error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const hint =
    code === 'EADDRINUSE'
      ? takenHint(port)
      : code === undefined
        ? ' As a flag: --insecure-public.'
        : ' The flags: --host and --port.'
  return new CommandError(
    `${error.message}${hint}`,
    code === undefined ? exitCodes.usage : exitCodes.failure,
    { cause },
  )
}

function takenHint(port: number): string {
  const flag = ` As a flag: --port ${port + 1}.`
  // Since macOS 12, a service of the system listens there.
  const isAirPlay = process.platform === 'darwin' && (port === 5000 || port === 7000)
  return isAirPlay
    ? `${flag} On macOS it may be the AirPlay Receiver (System Settings, AirDrop & Handoff).`
    : flag
}
