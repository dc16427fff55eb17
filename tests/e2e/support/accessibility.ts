import { createRequire } from 'node:module'
import type axe from 'axe-core'
import type { Page } from 'playwright-core'

const axeScript = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** What WCAG 2.2 AA asks and a program can check. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** Before the page is loaded (again): its own policy lets no script in later. */
export const bringAxe = (page: Page): Promise<unknown> => page.addInitScript({ path: axeScript })

/** What slides or fades in is looked at when it is there. */
export function untilStill(page: Page): Promise<void> {
  return page.evaluate(async () => {
    const ends = document
      .getAnimations()
      .filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
      .map(({ finished }) => finished.catch(() => {}))
    await Promise.all(ends)
  })
}

/** What is wrong on the page as it is now, one line for each element. */
export function violationsOf(page: Page): Promise<readonly string[]> {
  return page.evaluate(async (tags) => {
    const { axe: checker } = globalThis as unknown as { readonly axe: typeof axe }
    const { violations } = await checker.run(document, {
      runOnly: { type: 'tag', values: tags },
      resultTypes: ['violations'],
    })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`),
    )
  }, TAGS)
}

/**
 * Presses Tab until the element with this role and name has the focus, and looks that each stop on the way shows it.
 * @throws Error that names the stops, if it is not reached.
 */
export async function tabTo(page: Page, role: string, name: RegExp): Promise<void> {
  const stops: string[] = []
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate(describeFocus)
    stops.push(`${stop.role} ${stop.name}`)
    if (!stop.visible) throw new Error(`Nothing shows the focus on ${stop.role} ${stop.name}.`)
    if (stop.role === role && name.test(stop.name)) return
  }
  throw new Error(`${role} ${name} is not reached by Tab: ${stops.join(', ')}`)
}

/** Presses the down arrow in the open menu until this item has the focus. */
export async function arrowTo(page: Page, item: string): Promise<void> {
  const focused = page.getByRole('menuitem').and(page.locator(':focus'))
  await focused.waitFor()
  for (let presses = 0; (await focused.textContent()) !== item; presses++) {
    if (presses > 20) throw new Error(`The menu has no item ${item}.`)
    await page.keyboard.press('ArrowDown')
  }
}

/** Runs in the page. */
function describeFocus(): { readonly role: string; readonly name: string; readonly visible: boolean } {
  const { axe: checker } = globalThis as unknown as {
    readonly axe: typeof axe & {
      readonly commons: {
        readonly text: { accessibleText(element: Element): string }
        readonly aria: { getRole(element: Element): string | null }
      }
    }
  }
  const element = document.activeElement ?? document.body
  // Outside of the document (the browser's own controls) there is nothing to show.
  if (element === document.body) return { role: 'document', name: '', visible: true }
  checker.setup(document)
  const described = {
    role: checker.commons.aria.getRole(element) ?? '',
    name: checker.commons.text.accessibleText(element),
    visible: showsFocus(element),
  }
  checker.teardown()
  return described

  function showsFocus(focused: Element): boolean {
    // A field may show it on the box around it.
    for (let part: Element | null = focused; part && part !== document.body; part = part.parentElement) {
      const style = getComputedStyle(part)
      if (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) return true
      if (style.boxShadow !== 'none' && part.matches(':focus-within')) return true
      if (!part.parentElement?.matches('form, label, search, [role=search], .composer-box, .composer-line'))
        return false
    }
    return false
  }
}
