/** The version of Petals whose protocol this server speaks: it rewinds, and reads `next_servers` of each step. */
const petalsVersion = '2.3.0.dev2'

/** Returns the version that is announced, as Python writes one with a local part: other programs read the first part. */
export const announcedVersion = (version: string): string =>
  `${petalsVersion}+petals.chat.${version.replaceAll(/[^A-Za-z0-9]+/g, '.')}`
