import { softKeyboard } from './device.ts'

/** An ancestor of the element that had the focus (or the element itself), and its index among its siblings. */
interface Step {
  readonly element: Element
  readonly index: number
}

const FOCUSABLE =
  'a[href], button:enabled, input:enabled, select:enabled, textarea:enabled, summary, [tabindex]:not([tabindex="-1"]), [data-focus-home]'

/**
 * Browsers move the focus to the top of the page when the focused element is removed or disabled: people who use a keyboard
 * or a screen reader would begin again at the first link (WCAG 2.4.3). This moves it beside the old place instead: to the
 * replacement, to a neighbour, or to an ancestor. An element with `data-focus-home` takes it for all its descendants.
 */
export function keepFocus(document: Document): void {
  let steps: readonly Step[] = []
  const isLost = (): boolean => {
    const [last] = steps
    const active = document.activeElement
    if (!last || (active !== null && active !== document.body && active !== last.element)) return false
    return !last.element.isConnected || last.element.matches(':disabled')
  }
  const look = (): void => {
    if (!isLost()) return
    // A dialog returns the focus without help.
    const ofDialog = steps.some(({ element }) => element.localName === 'dialog' && !element.isConnected)
    const target = ofDialog ? undefined : placeBeside(steps)
    steps = []
    target?.focus({ preventScroll: true })
  }
  document.addEventListener(
    'focusin',
    ({ target }) => (steps = target instanceof Element ? stepsUp(target) : []),
  )
  document.addEventListener('focusout', () => {
    // A click on the background removes the focus on purpose. A removed element has gone by then.
    queueMicrotask(() => {
      if (document.hasFocus() && document.activeElement === document.body && !isLost()) steps = []
    })
  })
  const changes = { subtree: true, childList: true, attributes: true, attributeFilter: ['disabled'] }
  new MutationObserver(look).observe(document.body, changes)
}

function stepsUp(target: Element): readonly Step[] {
  const steps: Step[] = []
  for (let element: Element | null = target; element?.parentElement; element = element.parentElement)
    steps.push({ element, index: [...element.parentElement.children].indexOf(element) })
  return steps
}

/** Returns the focusable element nearest to the old place of the focus. */
function placeBeside(steps: readonly Step[]): HTMLElement | undefined {
  for (const [depth, { element }] of steps.entries()) {
    const parent = steps[depth + 1]?.element
    if (!parent?.isConnected) continue
    if (parent.matches('[data-focus-home]')) return parent as HTMLElement
    const found = nearestIn(parent, steps[depth]!.index, element)
    if (found) return found
    if (canTakeFocus(parent)) return parent
  }
  return undefined
}

/** Searches outwards from the old place; later siblings come before earlier ones. */
function nearestIn(parent: Element, index: number, except: Element): HTMLElement | undefined {
  const children = [...parent.children].map((child, at) => ({ child, distance: distance(at, index) }))
  for (const { child } of children.toSorted((a, b) => a.distance - b.distance)) {
    if (child === except && child.matches(':disabled')) continue
    const found = firstIn(child)
    if (found) return found
  }
  return undefined
}

function distance(at: number, index: number): number {
  return at >= index ? (at - index) * 2 : (index - at) * 2 - 1
}

function firstIn(element: Element): HTMLElement | undefined {
  const home = element.matches('[data-focus-home]') ? element : element.querySelector('[data-focus-home]')
  if (home && canTakeFocus(home)) return home
  return [element, ...element.querySelectorAll(FOCUSABLE)].find(canTakeFocus)
}

function canTakeFocus(element: Element): element is HTMLElement {
  if (
    !(element instanceof HTMLElement) ||
    !element.matches(FOCUSABLE) ||
    !element.checkVisibility({ visibilityProperty: true })
  )
    return false
  // On a phone, the keyboard would open.
  const isField = element.matches('input:not([type=checkbox], [type=radio]), textarea')
  return !(isField && softKeyboard.matches) && element.closest('[inert]') === null
}
