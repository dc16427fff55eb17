import type { Incidents } from '../support/incident.ts'

/** Peers of a network that exhausted or ended a node. */
export const swarmIncidents = {
  'CVE-2026-46679': {
    product: '@libp2p/gossipsub',
    dated: '2026',
    happened: 'Subscriptions to very many topics, 68 MB in all, filled a heap of 1.5 GB.',
    holds: 'speaks no gossipsub: a peer that opens a stream of it is refused',
  },
  'CVE-2026-45783': {
    product: '@libp2p/kad-dht',
    dated: '2026',
    happened: 'A peer stored records without a bound, until the disk was full.',
    holds: 'stores no record of a peer: it serves no Kademlia protocol',
  },
  'CVE-2022-23486': {
    product: 'rust-libp2p, js-libp2p, go-libp2p',
    dated: '2022',
    happened:
      'A peer opened streams and connections without a bound (CVE-2022-23487 and -23492 are the others).',
    holds: 'refuses the streams that a peer opens, and stays within little memory',
  },
  'CVE-2026-31814': {
    product: 'rust-yamux < 0.13.9',
    dated: '2026',
    happened: 'The sum of the windows that a peer granted overflowed and ended the process.',
    holds: 'survives windows that add up beyond 32 bits, and goes on with other peers',
  },
  'CVE-2026-32314': {
    product: 'rust-yamux < 0.13.10',
    dated: '2026',
    happened: 'A first frame with more data than the window ended the process.',
    holds:
      'loses no more than the connection to a peer that sends more than its window, or frames that are none',
  },
} as const satisfies Incidents
