import type { Incidents } from '../support/incident.ts'

/** Text that ran, or that sent what a person had written to another place. */
export const pageIncidents = {
  'CVE-2026-44568': {
    product: 'Open WebUI < 0.9.0',
    dated: '2026',
    happened:
      'Text was sanitized before it became HTML, so Markdown could make markup that was never looked at.',
    holds: 'makes elements from Markdown, never markup from text',
  },
  'CVE-2026-27740': {
    product: 'Discourse AI',
    dated: '2026',
    happened: 'The output of a model was inserted as HTML.',
    holds: 'shows HTML of a model as text',
  },
  'CVE-2024-47875': {
    product: 'DOMPurify < 3.1.3',
    dated: '2024',
    happened: 'Very deep nesting changed the tree after it was sanitized (mutation XSS).',
    holds: 'shows elements nested 300 deep, of any namespace, as text',
  },
  'CVE-2025-26791': {
    product: 'DOMPurify < 3.2.4',
    dated: '2025-02',
    happened: 'A wrong pattern for template literals let a script through.',
    holds: 'shows template literals with markup as text',
  },
  'CVE-2025-23207': {
    product: 'KaTeX < 0.16.21',
    dated: '2025',
    happened: '\\htmlData in a formula could write any attribute.',
    holds: 'lets a formula write no attributes and no links',
  },
  'CVE-2024-28243': {
    product: 'KaTeX < 0.16.10',
    dated: '2024',
    happened: 'Macros defined by \\edef doubled until the page hung, although expansion was limited.',
    holds: 'stops a formula whose macros double',
  },
  'CVE-2026-23733': {
    product: 'LobeChat',
    dated: '2026',
    happened: 'A Mermaid diagram in an answer ran a script, which could start programs.',
    holds: 'shows a diagram as code',
  },
  'CVE-2025-59417': {
    product: 'LobeChat < 1.129.4',
    dated: '2025',
    happened: 'A tag in an answer made the page render SVG of the model, with its scripts.',
    holds: 'knows no tag of a model that makes it render or run anything',
  },
  'CVE-2025-32711': {
    product: 'Microsoft 365 Copilot (EchoLeak)',
    dated: '2025',
    happened:
      'An image in Markdown, by reference, sent data of a dialogue to another server without a click.',
    holds: 'requests nothing that a text names: no image, style, frame, font or link in advance',
  },
  'CVE-2024-53382': {
    product: 'Prism <= 1.29.0',
    dated: '2024',
    happened: 'An element with a chosen name replaced a property of the document that a script relied on.',
    holds: 'gives no element a name or id that a text chose',
  },
  'CVE-2025-64496': {
    product: 'Open WebUI < 0.6.35',
    dated: '2025',
    happened: 'A model server sent an event named execute, whose code the page ran.',
    holds: 'ignores events that it does not know, from whatever server',
  },
} as const satisfies Incidents
