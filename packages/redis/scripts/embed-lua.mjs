// Puts the text of the Lua scripts into a module, so that the package works wherever it is bundled to.
// `-- include NAME` on a line of its own stands for `src/lua/include/NAME.lua`, which may include others.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = new URL('../src/lua/', import.meta.url)
const read = path =>
  readFileSync(new URL(path, folder), 'utf8').replace(/^ *-- include ([\w-]+)$/gm, (_line, part) =>
    read(`include/${part}.lua`),
  )

const entries = readdirSync(folder)
  .filter(file => file.endsWith('.lua'))
  .toSorted()
  .map(file => {
    const name = file.replace(/(-\d+)?\.lua$/, '')
    return [name, read(file)]
  })
const names = entries.map(([name]) => `'${name}'`).join(' | ')
const members = entries.map(([name, source]) => `  ${name}: ${JSON.stringify(source)},\n`).join('')

writeFileSync(
  new URL('../src/lua/lua-sources.ts', import.meta.url),
  `// Made from src/lua by scripts/embed-lua.mjs.
export type ScriptName = ${names}

export const luaSources: Readonly<Record<ScriptName, string>> = {
${members}}
`,
)
