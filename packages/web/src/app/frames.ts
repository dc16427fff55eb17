/** A hidden tab gets no animation frames; its answers go on all the same. */
const HIDDEN_INTERVAL_MS = 250

/** Runs `task` with the next picture, or soon where the tab is hidden. Several tasks of one frame run together. */
export function scheduleFrame(task: () => void): void {
  if (document.hidden) setTimeout(task, HIDDEN_INTERVAL_MS)
  else requestAnimationFrame(task)
}
