import path from 'node:path'
import { AccessError } from '@petals-chat/access'
import { describeKeyState, day, printSecret } from '../access/describe-key.ts'
import { durationOf, newKeyOf, textFlag } from '../access/key-flags.ts'
import { databaseFailure, isKeyFileMissing, keyFileOf, type OpenKeys, openKeys } from '../access/open-keys.ts'
import { loadConfig } from '../config/load.ts'
import type { CommandContext } from '../context.ts'
import { CommandError } from '../exit-codes.ts'
import { formatTable } from '../terminal/format.ts'

/** Makes a key, and prints it once. */
export async function createKey(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const wanted = newKeyOf(name, context.flags, Date.now())
  await withKeys(context, ({ keys }) => {
    const isFirst = !keys.hasKeys
    printSecret(context.terminal, keys.create(wanted))
    if (isFirst)
      context.terminal.note(
        'It is the first one: a server that runs without keys asks for them after its next start.',
      )
  })
}

/** Lists the keys, without their secrets. */
export async function listKeys(context: CommandContext): Promise<void> {
  const { terminal, flags } = context
  await withKeys(context, ({ keys }, file) => {
    const all = keys.list()
    if (flags['json'] === true) return terminal.out(JSON.stringify(all, undefined, 2))
    if (all.length === 0)
      return terminal.note(`There are no keys in ${file}. Make one: petals-chat keys create NAME`)
    const rows = all.map((key) => [
      key.id,
      key.name,
      describeKeyState(key, Date.now()),
      day(key.lastUsedAt),
      key.scopes.join(','),
      key.models?.join(',') ?? 'all',
      Object.entries(key.limits)
        .map(([limit, value]) => `${limit}=${value}`)
        .join(' ') || 'none',
    ])
    for (const line of formatTable([
      ['ID', 'NAME', 'STATE', 'LAST USED', 'SCOPES', 'MODELS', 'LIMITS'],
      ...rows,
    ]))
      terminal.out(line)
  })
}

/** Revokes a key and those that it made. Servers end its answers within a second. */
export async function revokeKey(context: CommandContext, [key = '']: readonly string[]): Promise<void> {
  await withKeys(context, ({ keys }) => {
    const { id, name } = keys.find(key)
    const revoked = keys.revoke(id)
    const others = revoked.length > 1 ? `, and ${revoked.length - 1} that it made` : ''
    context.terminal.note(
      revoked.length === 0 ? `'${name}' was already revoked.` : `Revoked '${name}' (${id})${others}.`,
    )
  })
}

/** Gives a key a new secret, and prints it once. */
export async function rotateKey(context: CommandContext, [key = '']: readonly string[]): Promise<void> {
  const grace = textFlag(context.flags, 'grace')
  const graceMs = grace === undefined ? 0 : durationOf('--grace', grace)
  await withKeys(context, ({ keys }) => {
    printSecret(context.terminal, keys.rotate(keys.find(key).id, { graceMs }))
    context.terminal.note(
      grace === undefined ? 'The old secret no longer counts.' : `The old secret counts for ${grace} more.`,
    )
  })
}

/** Copies the file of keys and usage, while servers use it. */
export async function backUpKeys(context: CommandContext, [copy = '']: readonly string[]): Promise<void> {
  const source = keyFileOf(await loadConfig(context))
  // Opening it would make an empty one.
  if (isKeyFileMissing(source))
    throw new CommandError(`There is no file ${source}, so there is nothing to copy.`)
  await withKeys(context, (opened, file) => {
    const target = path.resolve(context.workingDirectory, copy)
    opened.backUp(target)
    context.terminal.note(`Copied ${file} to ${target}. How to restore it: docs/deployment.md.`)
  })
}

async function withKeys(
  context: CommandContext,
  work: (opened: OpenKeys, file: string) => void,
): Promise<void> {
  const loaded = await loadConfig(context)
  using opened = await openKeys(loaded)
  try {
    work(opened, keyFileOf(loaded))
  } catch (error) {
    if (error instanceof AccessError) throw new CommandError(error.message)
    throw databaseFailure(error, keyFileOf(loaded))
  }
}
