import { Option, type Command } from 'commander'
import { configJsonSchema } from './schema.ts'
import { schemaAt } from './schema-tree.ts'
import { settings, type ConfigSetting, type Setting } from './settings.ts'

/** Adds every flag of the configuration to `program`. The help of each names its environment variable and its default. */
export function addSettings(program: Command): void {
  for (const setting of settings) {
    const option = new Option(setting.flag).helpGroup(`${setting.group}:`)
    // Only the help reads it, and the schema takes long to make.
    Object.defineProperty(option, 'description', { get: () => describeSetting(setting) })
    // A flag that may be repeated collects its values in a list.
    if (setting.repeatable) option.argParser((value: string, list: string[] = []) => [...list, value])
    program.addOption(option)
  }
}

function describeSetting(setting: Setting | ConfigSetting): string {
  const value = 'path' in setting ? schemaAt(configJsonSchema(), setting.path)?.default : undefined
  const isShown = value !== undefined && value !== false && String(value) !== ''
  return `${setting.summary} [env: ${setting.variable}]${isShown ? ` [default: ${String(value)}]` : ''}`
}
