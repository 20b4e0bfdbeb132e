import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { finished, temporaryFolder, turnstore } from './turnstore.ts'

const demo = fileURLToPath(new URL('../../../examples/demo/demo.mjs', import.meta.url))

it('the demo runs, loses nothing, and the commands that it suggests work', async () => {
  const TMPDIR = temporaryFolder()
  const { code, stdout, stderr } = await finished(
    spawn(process.execPath, [demo], { env: { ...process.env, TMPDIR, TEMP: TMPDIR } }),
  )
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/5 sessions: 5 added/)
  expect(stdout).toMatch(/all 6 acknowledged.*Nothing is missing/)
  expect(stdout).toMatch(
    /call_green: is done.*\n.*call_black: is done.*\n.*call_white: has no result, so it is made now/,
  )
  expect(stdout).toContain('{"role":"tool","tool_call_id":"call_white","content":"{\\"boxes\\":15}"}')
  const [folder = ''] = readdirSync(TMPDIR)
  const url = `sqlite:${join(TMPDIR, folder, 'sessions.db')}`
  expect(stdout).toContain(`TURNSTORE_URL='${url}'`)
  const commands = [...stdout.matchAll(/^ {2}turnstore (show .*|--help)$/gm)].map(([, command = '']) =>
    command.split(' '),
  )
  expect(commands.length).toBeGreaterThan(2)
  for (const command of commands) expect(await turnstore(command, { url })).toMatchObject({ code: 0, stderr: '' })
})
