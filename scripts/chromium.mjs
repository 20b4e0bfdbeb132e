import { existsSync } from 'node:fs'

/** Where Chromium or Chrome is on this machine, if anywhere. */
export function chromiumPath() {
  const { CHROMIUM } = process.env
  const paths = [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ]
  return CHROMIUM ?? paths.find(existsSync)
}
