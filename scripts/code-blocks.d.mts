/** The code blocks of a Markdown page; what stands behind the language is the title. */
export function codeBlocks(markdown: string): { language: string; title: string; code: string }[]
