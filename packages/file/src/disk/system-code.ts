/** The code of a system error (`ENOENT`), or null if the error has none. */
export function systemCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

export function isMissing(error: unknown): boolean {
  return systemCode(error) === 'ENOENT'
}

/** Whether the process or the system has too many files open. */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'EMFILE' || code === 'ENFILE'
}

const denials = new Map([
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
])

/** A code with what it means, where people meet it without a fault in the system. */
export function inWords(code: string): string {
  const denial = denials.get(code)
  return denial === undefined ? code : `${denial}: ${code}`
}
