import type { JsonValue } from '@turnstore/core'

/** How a child process opens the data of a store: an ES module whose default export does it. */
export interface ChildModule {
  /** Its URL, or a path that `import` takes: `new URL('../child.js', import.meta.url)`. */
  module: URL | string
  /** What its default export receives: `(args) => new MyStore(args)`, awaited. */
  args?: JsonValue
}
