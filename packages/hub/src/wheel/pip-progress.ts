import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileOptions } from '@petals-chat/engine'
import { progressMeter } from '../progress.ts'

export interface PipProgress extends Disposable {
  /** Sets the rounded size of the download that pip has announced. */
  onSize(bytes: number): void
  /** Reports the end of the download, with its exact size. */
  finish(bytes: number): void
}

const intervalMs = 250

/** Reports the progress of a download by pip from the growing file in `folder`, because pip's own bar needs a terminal. */
export function watchPip(folder: string, label: string, onProgress: FileOptions['onProgress']): PipProgress {
  let total: number | undefined
  const report = (done: number): void =>
    progressMeter(onProgress, { phase: 'download', label, total }).finish(Math.min(done, total ?? done))
  let isOver = false
  const look = async (): Promise<void> => {
    const done = await largestFile(folder)
    if (!isOver) report(done)
  }
  const timer = setInterval(() => void look(), intervalMs)
  const stop = (): void => {
    isOver = true
    clearInterval(timer)
  }
  report(0)
  return {
    onSize: (bytes) => void (total = bytes),
    finish: (bytes) => {
      stop()
      total = bytes
      report(bytes)
    },
    [Symbol.dispose]: stop,
  }
}

/** Returns the size in bytes. pip copies the finished file to its place, so for a moment there are two. */
async function largestFile(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)))
  return Math.max(0, ...found.map((file) => file?.size ?? 0))
}
