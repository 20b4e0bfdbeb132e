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
