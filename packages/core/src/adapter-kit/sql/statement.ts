export type SqlValue = string | number | null

/** A statement with its values. */
export interface Statement {
  readonly text: string
  readonly values: readonly SqlValue[]
  /** How many rows it must change. Another number means that the session is damaged: roll back. */
  readonly changes?: number
}

/** How a database differs from others. */
export interface Dialect {
  /** What stands for a value: `?`, or `$1` for the first. */
  readonly placeholder: (position: number) => string
}

/** Makes the statement for some values. @param changes how many rows it must change */
export type Template = (values: Readonly<Record<string, SqlValue>>, changes?: number) => Statement

/**
 * Prepares a statement that names its values, as in `WHERE session = :session AND seq >= :keep_turns`. Call it once a
 * statement, when the module is loaded. Two colons are a cast, as in Postgres.
 */
export function template(text: string, { placeholder }: Dialect): Template {
  const names: string[] = []
  const prepared = text.replaceAll(/(?<!:):([a-z_]+)/g, (_, name: string) => placeholder(names.push(name)))
  return (named, changes) => {
    const values = names.map(name => {
      const value = named[name]
      if (value === undefined) throw new TypeError(`No value for :${name}`)
      return value
    })
    return changes === undefined ? { text: prepared, values } : { text: prepared, values, changes }
  }
}

/** Collects the values of a statement while its text is built. Bind them in the order of the text. */
export class Bindings {
  readonly values: SqlValue[] = []
  readonly #dialect: Dialect

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  /** Returns the placeholder. */
  bind(value: SqlValue): string {
    return this.#dialect.placeholder(this.values.push(value))
  }
}
