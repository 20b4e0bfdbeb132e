import { spawn } from 'node:child_process'

/** Opens the URL in the user's browser, if the system knows one. Never fails: the URL is printed too. */
export function openBrowser(url: string): void {
  const [program, ...args] = commandFor(process.platform)
  try {
    const child = spawn(program, [...args, url], { detached: true, stdio: 'ignore', windowsHide: true })
    child.on('error', () => {})
    child.unref()
  } catch {
    // For example, no process can be started.
  }
}

function commandFor(platform: NodeJS.Platform): readonly [program: string, ...args: string[]] {
  if (platform === 'darwin') return ['open']
  // Not `start`, which is of the shell: it would read the URL.
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler']
  return ['xdg-open']
}
