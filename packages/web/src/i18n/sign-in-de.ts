import { formatCount, pluralsOf } from './format.ts'
import type { signInEn } from './sign-in-en.ts'

export const plural = pluralsOf('de')

/** The German texts of sign-in, and of what the server refuses its reader. */
export const signInDe: typeof signInEn = {
  signInTitle: 'Melde dich an, um zu chatten',
  signIn: 'Anmelden',
  signingIn: 'Anmeldung läuft …',
  signInWith: (provider) => `Mit ${provider} anmelden`,
  signInOr: 'oder',
  signInKey: 'API-Schlüssel',
  signInKeyHint: 'Schlüssel gibt der Betreiber dieses Servers aus.',
  signInWrongKey: 'Dieser Schlüssel gilt hier nicht. Vielleicht ist er abgelaufen, oder ein Teil fehlt.',
  signInTooOften: 'Das waren zu viele Versuche.',
  signInByProxy: 'Der Proxy vor diesem Server muss dich anmelden. Bitte frage den Betreiber.',
  signInEnded: 'Deine Anmeldung ist beendet. Bitte melde dich neu an, um weiterzumachen.',
  signInDenied: 'Du bist nicht angemeldet: Die Anmeldung wurde abgelehnt oder abgebrochen.',
  signInNotAllowed: 'Dein Konto darf diesen Server nicht benutzen. Bitte frage den Betreiber.',
  signInExpired:
    'Die Anmeldung hat zu lange gedauert oder in einem anderen Fenster begonnen. Bitte versuche es noch einmal.',
  signInProvider:
    'Der Anmeldedienst ist nicht erreichbar oder antwortet falsch. Bitte versuche es später noch einmal.',
  signInChatsStay: 'Deine Chats bleiben in diesem Browser, auch wenn du abgemeldet bist.',
  signedInAs: 'Angemeldet als',
  signOut: 'Abmelden',
  signOutFailed: 'Du konntest nicht abgemeldet werden: Der Server ist nicht erreichbar.',
  errorRateLimit: 'Du hast dein Limit auf diesem Server erreicht.',
  errorSignedOut: 'Du bist nicht mehr angemeldet.',
  errorSignedOutHalfway:
    'Deine Anmeldung endete, während diese Antwort geschrieben wurde. Der bisherige Text bleibt erhalten.',
  errorForbidden: 'Das ist mit deiner Anmeldung nicht erlaubt.',
  retryingRateLimit: 'Du hast dein Limit erreicht. Gleich geht es weiter …',
  goOnIn: (seconds) =>
    seconds < 120
      ? plural(seconds, {
          one: 'In 1 Sekunde geht es weiter.',
          other: `In ${formatCount(seconds)} Sekunden geht es weiter.`,
        })
      : `In ${formatCount(Math.ceil(seconds / 60))} Minuten geht es weiter.`,
  goOnAt: (time) => `Um ${time} geht es weiter.`,
  goOnNow: 'Es kann weitergehen.',
}
