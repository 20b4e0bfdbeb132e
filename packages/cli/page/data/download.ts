import { get, type Parameters } from './api.ts'

/** Saves an answer as a file. Through the page, since a link cannot send the token. */
export async function download(name: string, parameters: Parameters, fileName: string): Promise<void> {
  const blob = await (await get(name, parameters)).blob()
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = fileName.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 120)
  link.click()
  // Later: the browser reads it after this.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
