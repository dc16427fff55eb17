/** The insides of JSON strings of a format. Formats that are not here are only annotations, as the standard allows. */
const date = '[0-9]{4} "-" ( "0" [1-9] | "1" [0-2] ) "-" ( "0" [1-9] | [1-2] [0-9] | "3" [0-1] )'
const time =
  '( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9] ":" [0-5] [0-9] ( "." [0-9]{1,6} )? ( "Z" | [-+] ( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9] )'
const octet = '( "25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9]? [0-9] )'
const label = '[a-zA-Z0-9] [-a-zA-Z0-9]{0,20}'

export const stringFormats: ReadonlyMap<string, string> = new Map([
  ['date', date],
  ['time', time],
  ['date-time', `${date} "T" ${time}`],
  ['uuid', '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}'],
  ['ipv4', `${octet} ( "." ${octet} ){3}`],
  ['hostname', `${label} ( "." ${label} ){0,4}`],
  ['email', `[a-zA-Z0-9] [a-zA-Z0-9._%+-]{0,40} "@" ${label} ( "." ${label} ){1,3}`],
])
