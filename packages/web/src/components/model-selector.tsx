import { useEffect, useId, useState, type KeyboardEvent } from 'react'
import type { ModelInfo } from '../api/models.ts'
import { useCurrentModel } from '../app/current-chat.ts'
import { useServices } from '../app/services.ts'
import { softKeyboard } from '../ui/device.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { Icon } from '../ui/icon.tsx'
import { ModelDot, ModelProgress, modelStateLabel } from './model-state.tsx'
import { pressedKey } from '../ui/pressed-key.ts'
import { usePopover } from '../ui/use-popover.ts'
import { useTypeahead } from '../ui/use-typeahead.ts'
import './model-selector.css'

/** The button with the current model, and the list to choose another. */
export function ModelSelector() {
  const { models } = useServices()
  const texts = useTexts()
  const { model, missing, choose } = useCurrentModel()
  const popover = usePopover((content) => {
    // On a phone, the keyboard would cover the list.
    const first = softKeyboard.matches ? '[role=listbox]' : 'input, [role=listbox]'
    content.querySelector<HTMLElement>(first)?.focus()
    void models.refresh()
  })
  const name = model?.name ?? missing ?? texts.model
  const state = model
    ? modelStateLabel(texts, model.state)
    : missing
      ? texts.stateUnavailable
      : texts.stateLoading
  const chooseAndClose = (id: string): void => {
    choose(id)
    popover.close()
  }
  return (
    <div className="model-selector">
      <button
        ref={popover.button}
        type="button"
        className="model-button"
        aria-label={texts.modelButton(name, state)}
        aria-haspopup="listbox"
        {...popover.buttonProps}
      >
        {model && <ModelDot state={model.state} />}
        <span className="model-button-name">{name}</span>
        <Icon name="chevron" size={18} />
      </button>
      <div ref={popover.content} className="model-popover" {...popover.contentProps}>
        {popover.open && <ModelList current={model?.id} onChoose={chooseAndClose} onClose={popover.close} />}
      </div>
    </div>
  )
}

interface ModelListProps {
  readonly current: string | undefined
  readonly onChoose: (id: string) => void
  readonly onClose: () => void
}

/** From this number of models on, there is a field to filter them. */
const MANY = 8

function ModelList({ current, onChoose, onClose }: ModelListProps) {
  const { models } = useServices()
  const texts = useTexts()
  const { models: list, status } = useStore(models)
  const id = useId()
  const [filter, setFilter] = useState('')
  const [chosen, setChosen] = useState(current)
  const typeahead = useTypeahead()
  const ordered = groupByFamily(list.filter((model) => matches(model, filter)))
  const flat = ordered.flatMap(([, members]) => members)
  const active = flat.find((model) => model.id === chosen) ?? flat[0]
  const activeId = active && `${id}-${active.id}`
  useEffect(() => {
    if (activeId) document.getElementById(activeId)?.scrollIntoView({ block: 'nearest' })
  }, [activeId])
  if (list.length === 0) {
    const text =
      status === 'loading' ? texts.modelsLoading : status === 'failed' ? texts.errorNetwork : texts.noModels
    return <p className="model-none">{text}</p>
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const key = pressedKey(event) ?? ''
    const isField = event.target instanceof HTMLInputElement
    const index = flat.indexOf(active!)
    const steps = { ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + 5, PageUp: index - 5 }
    const target = { ...steps, ...(!isField && { Home: 0, End: flat.length - 1 }) }[key]
    // With Ctrl or a similar key, a letter is a command of the browser.
    const isTyped = !isField && !event.ctrlKey && !event.metaKey && !event.altKey
    const named = isTyped ? typeahead(key, flat, index) : undefined
    const next = target === undefined ? named : flat[Math.min(Math.max(target, 0), flat.length - 1)]
    if (next) setChosen(next.id)
    else if ((key === 'Enter' || (key === ' ' && !isField)) && active) onChoose(active.id)
    else if (key === 'Escape' || key === 'Tab') onClose()
    else return
    event.preventDefault()
  }
  const many = list.length >= MANY
  return (
    <div onKeyDown={onKeyDown}>
      {many && (
        <input
          className="model-filter"
          role="combobox"
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={activeId}
          aria-label={texts.filterModels}
          placeholder={texts.filterModels}
          autoComplete="off"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      )}
      <div
        id={id}
        className="model-list"
        role="listbox"
        tabIndex={many ? -1 : 0}
        aria-label={texts.modelsOf}
        aria-activedescendant={activeId}
      >
        {ordered.map(([family, members]) => (
          <div key={family} role="group" aria-label={family || texts.otherModels}>
            {(ordered.length > 1 || family) && (
              <div className="model-family">{family || texts.otherModels}</div>
            )}
            {members.map((model) => (
              <ModelOption
                key={model.id}
                id={`${id}-${model.id}`}
                model={model}
                selected={model.id === current}
                active={model.id === active?.id}
                onChoose={onChoose}
              />
            ))}
          </div>
        ))}
      </div>
      {/* There beforehand, so that what comes into it is read out. */}
      <div role="status">
        {flat.length === 0 && <p className="model-none">{texts.noModelFound(filter)}</p>}
      </div>
    </div>
  )
}

/** Matches words of the name, the id and the family, in any order. */
function matches({ name, id, family = '' }: ModelInfo, filter: string): boolean {
  const text = `${name} ${id} ${family}`.toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

interface ModelOptionProps {
  readonly id: string
  readonly model: ModelInfo
  readonly selected: boolean
  readonly active: boolean
  readonly onChoose: (id: string) => void
}

function ModelOption({ id, model, selected, active, onChoose }: ModelOptionProps) {
  const texts = useTexts()
  const { state } = model
  return (
    <div
      id={id}
      role="option"
      aria-selected={selected}
      className="model-option"
      data-active={active || undefined}
      onClick={() => onChoose(model.id)}
    >
      <ModelDot state={state} />
      <div className="model-option-words">
        <div className="model-option-name">{model.name}</div>
        <div className="model-option-state">{state.detail ?? modelStateLabel(texts, state)}</div>
        {state.progress && <ModelProgress progress={state.progress} />}
      </div>
      {selected && <Icon name="check" size={18} />}
    </div>
  )
}

function groupByFamily(models: readonly ModelInfo[]): readonly (readonly [string, readonly ModelInfo[]])[] {
  const groups = new Map<string, ModelInfo[]>()
  for (const model of models)
    groups.set(model.family ?? '', [...(groups.get(model.family ?? '') ?? []), model])
  return [...groups]
}
