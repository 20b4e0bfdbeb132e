/** The path of the `bun` binary. */
export function bun(): string
/** The path of the `deno` binary. */
export function deno(): string
