import { useState } from 'react'
import { useChatSettings, useCurrentChatId } from '../../app/current-chat.ts'
import { useServices } from '../../app/services.ts'
import { settingsDraftId } from '../../chat/draft-ids.ts'
import { type SettingsForm, toForm } from '../../chat/settings-form.ts'
import { NEW_CHAT } from '../../chat/types.ts'
import { useStore } from '../../store.ts'

export interface SettingsDraft {
  readonly form: SettingsForm
  /** Whether unsaved changes from earlier were restored. */
  readonly isRestored: boolean
  set(form: SettingsForm): void
  /** Drops the unsaved changes. */
  discard(): void
}

/** The form of a chat's settings. Every keystroke is kept until the form is saved or cancelled. */
export function useSettingsForm(): SettingsDraft {
  const { drafts } = useServices()
  const chatId = useCurrentChatId() ?? NEW_CHAT
  const { settings } = useChatSettings()
  const id = settingsDraftId(chatId)
  const stored = toForm(settings)
  const draft = useStore(drafts, (all) => all.get(id)?.form)
  // Fields that are unknown to another version of the page keep their values.
  const form = draft ? { ...stored, ...draft } : stored
  // The page may read its stored drafts while the form is open. Only the changes of this form need no notice.
  const [isOwn, setIsOwn] = useState(false)
  return {
    form,
    isRestored: !isOwn && draft !== undefined && !isSameForm(form, stored),
    set(next) {
      if (!draft) setIsOwn(true)
      if (isSameForm(next, stored)) drafts.clear(id)
      else drafts.change(id, { chatId, form: next })
    },
    discard: () => drafts.clear(id),
  }
}

function isSameForm(a: SettingsForm, b: SettingsForm): boolean {
  return Object.entries(a).every(([key, value]) => b[key as keyof SettingsForm] === value)
}
