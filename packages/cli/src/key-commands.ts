import type { Command } from 'commander'
import { limitFlags } from './access/limit-flags.ts'
import type { Run } from './run.ts'

/** Adds `keys create`, `list`, `rotate`, `revoke` and `backup`. */
export function addKeyCommands(keys: Command, run: Run): void {
  const commands = () => import('./commands/keys.ts')
  const create = keys
    .command('create <name>')
    .description('make a key, and print it once')
    .option('--scopes <list>', 'models, openai, legacy, swarm, metrics, admin; default: the first four')
    .option('--models <list>', 'models that it may use; default: all')
    .option('--expires <when>', 'a time from now (90d, 12h) or a date; default: never')
  for (const [flag, , summary] of limitFlags) create.option(flag, `limit: ${summary}`)
  create.action(run(async () => (await commands()).createKey))
  keys
    .command('list')
    .description('list the keys, without their secrets')
    .option('--json', 'print JSON')
    .action(run(async () => (await commands()).listKeys))
  keys
    .command('rotate <key>')
    .description('give a key (its name or id) a new secret, and print it once')
    .option('--grace <time>', 'how long the old secret still counts: 30min, 7d; default: not at all')
    .action(run(async () => (await commands()).rotateKey))
  keys
    .command('revoke <key>')
    .description('revoke a key (its name or id), and the keys that it made')
    .action(run(async () => (await commands()).revokeKey))
  keys
    .command('backup <file>')
    .description('copy the file of keys and usage, also while the server runs')
    .action(run(async () => (await commands()).backUpKeys))
}
