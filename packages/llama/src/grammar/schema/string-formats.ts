/** Formats as regular expressions. Formats that are not here are only annotations, as the standard allows. */
const day31 = '(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])'
const day30 = '(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)'
const date = `[0-9]{4}-(?:${day31}|${day30}|02-(?:0[1-9]|1[0-9]|2[0-8]))`
const time =
  '(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])'
const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?'
const hostname = `${label}(?:\\.${label}){0,4}`

export const stringFormats: ReadonlyMap<string, string> = new Map([
  ['date', date],
  ['time', time],
  ['date-time', `${date}T${time}`],
  [
    'duration',
    'P(?:[0-9]{1,4}W|(?=[0-9T])(?:[0-9]{1,4}Y)?(?:[0-9]{1,4}M)?(?:[0-9]{1,4}D)?(?:T(?=[0-9])(?:[0-9]{1,4}H)?(?:[0-9]{1,4}M)?(?:[0-9]{1,4}S)?)?)',
  ],
  ['uuid', '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'],
  ['ipv4', `${octet}(?:\\.${octet}){3}`],
  ['ipv6', '(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}'],
  ['hostname', hostname],
  ['email', `[a-zA-Z0-9](?:[._+-]?[a-zA-Z0-9]){0,30}@${label}(?:\\.${label}){1,3}`],
  ['uri', `(?:https?|ftp)://${hostname}(?::[0-9]{2,5})?(?:/(?:[a-zA-Z0-9._~/?#&=+-]|%[0-9A-F]{2})*)?`],
])
