import { isRecord, records, text } from '../api/read-json.ts'
import { createId } from '../chat/id.ts'
import { readSettings } from '../chat/settings-form.ts'
import type { ChatSettings } from '../chat/types.ts'
import type { Store } from '../store.ts'
import { createStoredValue } from './stored-value.ts'

/** Named settings, which can be chosen in other chats. */
export interface Preset {
  readonly id: string
  readonly name: string
  readonly settings: ChatSettings
}

export interface PresetsStore extends Store<readonly Preset[]> {
  /** Saves settings under a name; replaces the preset that has the name. */
  save(name: string, settings: ChatSettings): Preset
  /** Adds presets from elsewhere and returns how many were new. A preset whose name is taken gets a number. */
  add(presets: readonly Omit<Preset, 'id'>[]): number
  remove(id: string): void
}

export function createPresets(
  storage: Storage | undefined,
  events?: Pick<Window, 'addEventListener'>,
): PresetsStore {
  const value = createStoredValue({ storage, events, key: 'petals-chat.presets', parse })
  return {
    get: value.get,
    subscribe: value.subscribe,
    save(name, settings) {
      const before = value.get().find((preset) => preset.name === name)
      const preset: Preset = { id: before?.id ?? createId(), name, settings }
      const others = value.get().filter(({ id }) => id !== preset.id)
      value.set([...others, preset].toSorted((a, b) => a.name.localeCompare(b.name)))
      return preset
    },
    add(presets) {
      let added = 0
      for (const { name, settings } of presets) {
        const isHere = value.get().some((other) => isSame(other, { name, settings }))
        if (isHere) continue
        this.save(freeName(name, value.get()), settings)
        added += 1
      }
      return added
    },
    remove: (id) => value.set(value.get().filter((preset) => preset.id !== id)),
  }
}

/** Ignores the number that a name may have got. */
function isSame(a: Omit<Preset, 'id'>, b: Omit<Preset, 'id'>): boolean {
  const inOrder = (settings: ChatSettings): string => JSON.stringify(Object.entries(settings).toSorted())
  return (
    a.name.replace(/ \(\d+\)$/, '') === b.name.replace(/ \(\d+\)$/, '') &&
    inOrder(a.settings) === inOrder(b.settings)
  )
}

function freeName(name: string, presets: readonly Preset[]): string {
  const taken = new Set(presets.map((preset) => preset.name))
  if (!taken.has(name)) return name
  for (let number = 2; ; number++) if (!taken.has(`${name} (${number})`)) return `${name} (${number})`
}

function parse(value: unknown): readonly Preset[] {
  return records(value).flatMap(({ id: rawId, name: rawName, settings }) => {
    const [id, name] = [text(rawId), text(rawName)]
    return id && name && isRecord(settings) ? [{ id, name, settings: readSettings(settings) }] : []
  })
}
