import { formatCount } from './format.ts'
import { plural } from './sign-in-de.ts'
import type { swarmEn } from './swarm-en.ts'

/** The German texts about the swarm. */
export const swarmDe: typeof swarmEn = {
  swarm: 'Schwarm',
  swarmNoticeTitle: 'Fremde Computer können diesen Chat lesen.',
  swarmNoticePublic:
    'Das Modell läuft auf den Servern eines öffentlichen Schwarms. Sie gehören Fremden, die lesen können, was du schreibst und was geantwortet wird. Schreib nichts Vertrauliches.',
  swarmNoticePrivate:
    'Das Modell läuft auf den Servern eines privaten Schwarms. Wer sie betreibt, kann lesen, was du schreibst und was geantwortet wird.',
  swarmNoticeTerms: 'Mit dem Chatten akzeptierst du die Nutzungsbedingungen von',
  swarmNoticeRead: 'Verstanden',
  swarmNoticeAgain: 'Wer kann diesen Chat lesen?',
  swarmIntro:
    'Große Modelle verteilen sich auf viele Rechner: Jeder Server hält einige der Blöcke eines Modells, und jede Antwort geht durch alle.',
  swarmLoading: 'Der Schwarm wird befragt …',
  swarmNone: 'Kein Modell dieses Servers läuft in einem Schwarm.',
  swarmComplete: 'Alle Blöcke sind da',
  swarmIncomplete: 'Es fehlen Blöcke',
  swarmUnreachable: 'Nicht erreichbar',
  swarmServers: (n) => plural(n, { one: '1 Server online', other: `${formatCount(n)} Server online` }),
  swarmBlocks: (n) => plural(n, { one: '1 Block', other: `${formatCount(n)} Blöcke` }),
  swarmBottleneck: (block, rate) => `am langsamsten bei Block ${block}: ${rate} Tokens/s`,
  swarmMapTitle: 'Blöcke und die Server, die sie halten',
  swarmMap: (blocks, missing) =>
    missing === 0
      ? `${blocks} Blöcke, alle auf Servern`
      : `${blocks} Blöcke, davon ${missing} auf keinem Server`,
  swarmBlockTitle: (block, n) => `Block ${block}: ${n} Server`,
  swarmReplicas: (n, orMore) => (n === 0 ? 'kein Server' : `${n}${orMore ? ' oder mehr' : ''} Server`),
  swarmMissing: (blocks, ranges) =>
    plural(blocks, {
      one: `Kein Server hält Block ${ranges}.`,
      other: `Kein Server hält die Blöcke ${ranges}.`,
    }),
  swarmJoin: 'Deinen eigenen Rechner in diesen Schwarm bringen',
  swarmFill: 'Die Lücke mit einem eigenen Rechner füllen',
  swarmJoinHow:
    'Starte das auf einem Rechner mit Linux, macOS oder Windows und mit Node. Er braucht keine GPU, nutzt aber eine. Der Befehl richtet ein, was er braucht, prüft den Rechner und hält den Server am Laufen, bis du Strg+C drückst:',
  swarmJoinNote:
    'Enthält der Befehl einen Pfad, ersetze ihn durch den Ordner mit den Dateien des Modells auf jenem Rechner. Dein Server kann die Chats mitlesen, bei deren Antworten er hilft.',
  swarmCopyCommand: 'Befehl kopieren',
  swarmCopyCommandFor: (blocks, range) =>
    `Befehl für ${blocks === 1 ? 'Block' : 'die Blöcke'} ${range} kopieren`,
  swarmChart: (now, most) => `Server in der letzten Stunde: jetzt ${now}, höchstens ${most}`,
  swarmChartServers: 'Server online',
  swarmChartLeast: 'Server des Blocks, der die wenigsten hat',
  swarmChartHour: 'Die letzte Stunde',
  swarmServerTable: 'Server',
  serverState: 'Zustand',
  serverThroughput: 'Durchsatz',
  serverLatency: 'Latenz',
  serverCache: 'Freier Cache (Tokens)',
  serverVersion: 'Version',
  serverOnline: 'Online',
  serverJoining: 'Kommt hinzu',
  serverOffline: 'Offline',
  serverBanned: (time) => `${time} lang gemieden`,
  serverWrong: 'Rechnet falsch, wird nicht verwendet',
  serverDisputed: 'Rechnet anders als ein anderer Server',
  serverSilent: 'antwortet nicht',
  serverRelay: 'über Relais',
}
