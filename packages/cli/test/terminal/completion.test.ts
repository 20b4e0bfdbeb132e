import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { turnstore } from '../turnstore.ts'

async function script(shell: string): Promise<string> {
  const { code, stdout, stderr } = await turnstore(['completion', shell])
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0

describe.skipIf(!has('bash'))('completion in bash', () => {
  /** What is offered for the last word. */
  async function offered(...words: string[]): Promise<string[]> {
    const code = `${await script('bash')}
    COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')})
    COMP_CWORD=${words.length - 1}
    _turnstore
    printf '%s\\n' "\${COMPREPLY[@]}"`
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', code], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    return stdout.split('\n').filter(Boolean)
  }

  it('offers commands, the options of a command, and the choices of an option', async () => {
    expect(await offered('turnstore', 'st')).toEqual(['stats'])
    expect(await offered('turnstore', 'ls', '--wo')).toEqual(['--workspace'])
    expect(await offered('turnstore', 'ls', '--time')).toEqual(['--timeout'])
    expect(await offered('turnstore', 'show', 'x', '--format', 'mark')).toEqual(['markdown'])
    expect(await offered('turnstore', 'completion', 'z')).toEqual(['zsh'])
    expect(await offered('turnstore', '--version', 'renam')).toEqual(['rename'])
  })
})

it.each(['bash', 'zsh', 'fish'])(
  'the script for %s has every command and option, and its shell can read it',
  async shell => {
    const text = await script(shell)
    for (const word of ['import', 'backup', 'completion', 'dry-run', 'even-if-damaged', 'timeout', 'markdown']) {
      expect(text).toContain(word)
    }
    // Without the shell, quotes at least are in pairs.
    const parsed = has(shell) ? spawnSync(shell, ['-n'], { input: text }).status : 0
    expect([parsed, (text.match(/'/g) ?? []).length % 2]).toEqual([0, 0])
  },
)

it('refuses another shell', async () => {
  expect(await turnstore(['completion', 'tcsh'])).toMatchObject({ code: 2, stdout: '' })
})
