/** Where Chromium or Chrome is on this machine, if anywhere. */
export function chromiumPath(): string | undefined
