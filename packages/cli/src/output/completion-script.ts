import type { Command, Option } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const

interface Completed {
  readonly name: string
  readonly description: string
  readonly options: readonly CompletedOption[]
  /** What its arguments may be, if that is limited. */
  readonly words: readonly string[]
}

interface CompletedOption {
  readonly flag: string
  readonly description: string
  readonly choices: readonly string[]
}

/** A script for a shell, made from the commands and their options. Its words are ours, so none needs quoting but in zsh and fish. */
export function completionScript(shell: string, program: Command): string {
  const shared = optionsOf(program.options)
  const commands = program.commands.map(command => ({
    name: command.name(),
    description: command.description(),
    options: [...optionsOf(command.options), ...shared],
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  }))
  if (shell === 'fish') return fish(commands, shared)
  return shell === 'zsh' ? zsh(commands) : bash(commands)
}

function optionsOf(options: readonly Option[]): CompletedOption[] {
  return options.flatMap(({ long, description, argChoices }) =>
    long === undefined || long === null ? [] : [{ flag: long, description, choices: argChoices ?? [] }],
  )
}

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options, words }) => `    ${name}) words="${flagsOf(options)}" arguments="${words.join(' ')}" ;;`,
  )
  return `# bash completion for turnstore
_turnstore() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="" word words arguments=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) command="$word"; break ;; esac
  done
  case "$command $prev" in
${choicesOf(commands)
  .map(
    ({ command, flag, choices }) =>
      `    "${command} ${flag}") COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$cur")); return ;;`,
  )
  .join('\n')}
    *) ;;
  esac
  case "$command" in
${cases.join('\n')}
    *) words="${commands.map(({ name }) => name).join(' ')} --help --version" ;;
  esac
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$words --help" -- "$cur")) ;;
    *)
      if [ -z "$command" ]; then COMPREPLY=($(compgen -W "$words" -- "$cur"))
      elif [ -n "$arguments" ]; then COMPREPLY=($(compgen -W "$arguments" -- "$cur"))
      else COMPREPLY=($(compgen -f -- "$cur")); fi ;;
  esac
}
complete -o filenames -F _turnstore turnstore
`
}

function zsh(commands: readonly Completed[]): string {
  const described = commands.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}`)
  const cases = commands.map(({ name, options, words }) => {
    const specs = options.map(
      ({ flag, description, choices }) =>
        quoted(`*${flag}[${description.replaceAll(/[[\]:]/g, ' ')}]`) +
        (choices.length === 0 ? '' : quoted(`:value:(${choices.join(' ')})`)),
    )
    return `    ${name}) _arguments ${[...specs, quoted(words.length === 0 ? '*:file:_files' : `*:value:(${words.join(' ')})`)].join(' ')} ;;`
  })
  return `#compdef turnstore
_turnstore() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$name" in
${cases.join('\n')}
  esac
}
_turnstore "$@"
`
}

function fish(commands: readonly Completed[], shared: readonly CompletedOption[]): string {
  const lines = [
    '# fish completion for turnstore',
    ...commands.map(
      ({ name, description }) =>
        `complete -c turnstore -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ),
    ...commands.flatMap(({ name, options }) =>
      options
        .filter(option => !shared.includes(option))
        .map(option => `complete -c turnstore -n '__fish_seen_subcommand_from ${name}' ${fishOption(option)}`),
    ),
    ...commands
      .filter(({ words }) => words.length > 0)
      .map(
        ({ name, words }) =>
          `complete -c turnstore -f -n '__fish_seen_subcommand_from ${name}' -a ${quoted(words.join(' '))}`,
      ),
    ...shared.map(option => `complete -c turnstore ${fishOption(option)}`),
  ]
  return `${lines.join('\n')}\n`
}

function fishOption({ flag, description, choices }: CompletedOption): string {
  const values = choices.length === 0 ? '' : ` -x -a ${quoted(choices.join(' '))}`
  return `-l ${flag.slice(2)} -d ${quoted(description)}${values}`
}

function flagsOf(options: readonly CompletedOption[]): string {
  return options.map(({ flag }) => flag).join(' ')
}

function choicesOf(commands: readonly Completed[]): { command: string; flag: string; choices: readonly string[] }[] {
  return commands.flatMap(({ name: command, options }) =>
    options.filter(({ choices }) => choices.length > 0).map(({ flag, choices }) => ({ command, flag, choices })),
  )
}

/** In single quotes, which all three shells read alike if there is no quote inside. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`
}
