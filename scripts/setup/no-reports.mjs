/**
 * Environment variables of every program that the set-up and the commands after it start: they turn off telemetry and checks
 * for newer versions.
 */
export const noReports = {
  DO_NOT_TRACK: '1',
  HF_HUB_DISABLE_TELEMETRY: '1',
  NO_UPDATE_NOTIFIER: '1',
  ORT_DISABLE_TELEMETRY: '1',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
}
