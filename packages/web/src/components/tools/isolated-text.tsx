import { splitIsolated } from '../../chat/tool-calls.ts'

/** A sentence whose isolated parts can’t change the order of its other words. */
export function IsolatedText({ text }: { readonly text: string }) {
  return splitIsolated(text).map((part, index) => (index % 2 === 0 ? part : <bdi key={index}>{part}</bdi>))
}
