import type { JsonValue } from '@turnstore/core'

/** An ES module whose default export opens the data of a store in a child process. */
export interface ChildModule {
  /** Its URL, or a path that `import` accepts: `new URL('../child.js', import.meta.url)`. */
  module: URL | string
  /** Passed to its default export, which is awaited: `(args) => new MyStore(args)`. */
  args?: JsonValue
}
