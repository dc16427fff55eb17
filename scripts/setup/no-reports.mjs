/**
 * Environment of every program that the set-up starts, and of what it sets up: none of them may report to its maker, or ask
 * for a newer version of itself.
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
