/** Environment variables of every Python program that is started: they turn off telemetry and version checks. */
export const noReports: Readonly<Record<string, string>> = {
  DO_NOT_TRACK: '1',
  DISABLE_TELEMETRY: '1',
  HF_HUB_DISABLE_TELEMETRY: '1',
  BITSANDBYTES_NOWELCOME: '1',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PYTHONUNBUFFERED: '1',
}
