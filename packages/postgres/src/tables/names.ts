import type { Place } from '../server/place.js'

/** A name in SQL. Everything in it is data. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text in SQL, whatever `standard_conforming_strings` is. */
export function quoteText(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

/** The name of a table or function, with its schema. Nothing depends on `search_path`. */
export function named({ schema, prefix }: Place, name: string): string {
  return `${quoteName(schema)}.${quoteName(prefix + name)}`
}

/** Replaces `{name}` by the name of a table or function, and `{{name}}` by that of an index. */
export function inPlace(sql: string, place: Place): string {
  return sql
    .replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => quoteName(place.prefix + name))
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => named(place, name))
}
