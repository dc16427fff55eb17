/** Gives the focus to what may only be there with the next picture: a restored message, a field that opens. */
export function focusSoon(id: string, options?: FocusOptions): void {
  requestAnimationFrame(() => {
    const element = document.getElementById(id)
    element?.focus(options)
    if (element instanceof HTMLInputElement) element.select()
  })
}

/** Id of the element of a message. */
export function messageElementId(messageId: string): string {
  return `message-${messageId}`
}

/** Id of the link of a chat in the list. */
export function chatElementId(chatId: string): string {
  return `chat-${chatId}`
}
