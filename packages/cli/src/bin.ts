#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
import { Cli } from './terminal/cli.js'
import { run } from './program.js'

const cli = new Cli(process)
// A second Ctrl-C ends the process at once: the handlers run only once.
process.once('SIGINT', () => cli.stop(130))
process.once('SIGTERM', () => cli.stop(143))
process.exitCode = await run(cli, process.argv.slice(2))
