#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
import { setTimeout as sleep } from 'node:timers/promises'
import { Cli } from './terminal/cli.js'
import { run } from './program.js'

/** How long writes in progress may take after Ctrl-C. They are atomic, so the process may end at any moment. */
const GRACE_MS = 300

const cli = new Cli(process)

// A second Ctrl-C ends the process at once: the handlers run only once.
process.once('SIGINT', () => stop(130))
process.once('SIGTERM', () => stop(143))

function stop(exitCode: number): void {
  cli.stop(exitCode)
  setTimeout(() => void giveUp(exitCode), GRACE_MS).unref()
}

async function giveUp(exitCode: number): Promise<void> {
  // Whoever reads the output may have stopped reading it.
  await Promise.race([cli.printSummary(false).then(() => cli.flush()), sleep(GRACE_MS)])
  process.exit(exitCode)
}

const exitCode = await run(cli, process.argv.slice(2))
await cli.flush()
// A client that is still reconnecting would keep the process alive.
process.exit(exitCode)
