import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { turnstore } from './turnstore.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const commands = readdirSync(fileURLToPath(new URL('../src/commands/', import.meta.url))).map(file => file.slice(0, -3))

/** Described once, for all commands. */
const shared = ['--store', '--help', '--version', '--timeout', '--limits', '--adapter']

const optionsIn = (text: string): string[] => [...text.matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option)

it.each(commands)('the usage of %s in the README has the options of its help, and no others', async command => {
  const { stdout } = await turnstore([command, '--help'])
  const listed = stdout.split('\n').flatMap(line => /^ +(?:-\w, )?(--[a-z-]+)/.exec(line)?.[1] ?? [])
  const usages =
    readme.match(new RegExp(`^turnstore ${command} .*[\\[|].*$|^turnstore ${command} FILE .*$`, 'gm')) ?? []
  const written = new Set(usages.flatMap(optionsIn))
  expect([...written].toSorted()).toEqual(listed.filter(option => !shared.includes(option)).toSorted())
})

it.each(shared)('the README describes %s', option => {
  expect(readme).toContain(`| \`${option}`)
})
