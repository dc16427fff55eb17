import type { Locator, Page } from 'playwright-core'

export const messageField = (page: Page): Locator =>
  page.getByRole('textbox', { name: 'Message', exact: true })
export const articles = (page: Page): Locator => page.getByRole('article')
export const lastArticle = (page: Page): Locator => articles(page).last()
export const lastText = async (page: Page): Promise<string> => (await lastArticle(page).textContent()) ?? ''

/** Sends a message as a reader does. */
export async function ask(page: Page, text: string): Promise<void> {
  await messageField(page).fill(text)
  // Until the models are known, nothing can be sent.
  await page.getByRole('button', { name: 'Send', disabled: false }).waitFor()
  // Without a mouse Enter begins a line.
  if (await page.evaluate<boolean>(`matchMedia('(hover: none)').matches`))
    await page.getByRole('button', { name: 'Send' }).click()
  else await messageField(page).press('Enter')
}

/** The words of the last answer, without what is told around them. */
export const lastAnswer = (page: Page): Promise<string> =>
  lastArticle(page).locator('> .markdown').innerText()

/** Until the last message is an answer that is not being written any more; gives its text with all around it. */
export async function answered(page: Page): Promise<string> {
  await lastArticle(page)
    .and(page.locator('[aria-busy=false]'))
    .getByRole('button', { name: 'Regenerate' })
    .waitFor({ state: 'attached', timeout: 90_000 })
  return lastText(page)
}

/** The words of the last answer, once it is complete. */
export async function finishedAnswer(page: Page): Promise<string> {
  await answered(page)
  return lastAnswer(page)
}

/** Greedy and short, by the settings of the chat. */
export async function settle(page: Page, maxTokens: number): Promise<void> {
  await page.getByRole('button', { name: 'Settings' }).click()
  const dialog = page.getByRole('dialog', { name: 'Settings' })
  await dialog.getByLabel('Temperature').fill('0')
  await dialog.getByLabel('Max tokens').fill(`${maxTokens}`)
  await dialog.getByRole('button', { name: 'Save', exact: true }).click()
}
