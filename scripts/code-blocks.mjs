// The code blocks of a Markdown page, for the tests that run them.

/**
 * @param {string} markdown
 * @returns {{ language: string, title: string, code: string }[]} With what stands behind the language as the title.
 */
export function codeBlocks(markdown) {
  const blocks = markdown.matchAll(/^```(\w*)(?: ([^\n]*))?\n(.*?)^```$/gms)
  return [...blocks].map(([, language = '', title = '', code = '']) => ({ language, title, code }))
}
