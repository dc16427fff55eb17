import type { AccessLimits } from '@petals-chat/access'

/** The flags of `keys create` that set a limit. */
export const limitFlags = [
  ['--requests-per-minute <number>', 'requestsPerMinute', 'requests in a minute'],
  ['--tokens-per-minute <number>', 'tokensPerMinute', 'tokens of prompts and answers in a minute'],
  ['--tokens-per-day <number>', 'tokensPerDay', 'tokens of prompts and answers in a day'],
  ['--parallel-answers <number>', 'parallelAnswers', 'answers at the same time'],
  ['--max-context <number>', 'maxContext', 'tokens of a prompt and its answer together'],
  [
    '--swarm-seconds-per-day <number>',
    'swarmSecondsPerDay',
    'seconds in a day that servers of a swarm work for it',
  ],
] as const satisfies readonly (readonly [string, keyof AccessLimits, string])[]
