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

/**
 * Replaces `{name}` by the name of a table or function, and `{{name}}` by that of an index. Bodies of functions, between
 * `$function$`, become texts: a name may be anything.
 */
export function inPlace(sql: string, place: Place): string {
  const replaced = (text: string): string =>
    text.replaceAll(/\{\{(\w+)\}\}|\{(\w+)\}/g, (_, index: string | undefined, name: string) =>
      index === undefined ? named(place, name) : quoteName(place.prefix + index),
    )
  return sql
    .split('$function$')
    .map((text, index) => (index % 2 === 1 ? quoteText(replaced(text)) : replaced(text)))
    .join('')
}
