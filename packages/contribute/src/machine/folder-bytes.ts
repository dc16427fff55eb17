import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'

/** Bytes of all files below a folder, 0 where there is none. Files that come and go meanwhile do not matter. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  let total = 0
  for (const entry of entries) {
    const place = path.join(folder, entry.name)
    if (entry.isDirectory()) total += await folderBytes(place)
    else if (entry.isFile())
      total += await stat(place).then(
        ({ size }) => size,
        () => 0,
      )
  }
  return total
}
