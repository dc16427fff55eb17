import type { Side } from '../../chat/types.ts'

export function sideLetter(side: Side): string {
  return side.toUpperCase()
}

export function tabId(side: Side): string {
  return `compare-tab-${side}`
}

export function panelId(side: Side): string {
  return `compare-side-${side}`
}
