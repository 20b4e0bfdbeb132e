import type { Dialect } from '@turnstore/core/adapter/sql'

/**
 * `+?` instead of `?`: where a value could change the plan, SQLite compiles the statement again for each value, which
 * takes several times as long as running it. The sign prevents that.
 */
export const dialect: Dialect = { placeholder: () => '+?' }
