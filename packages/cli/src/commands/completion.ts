import { Argument, Command } from 'commander'
import { completionScript, shells } from '../output/completion-script.js'
import type { Cli } from '../terminal/cli.js'

export function completionCommand(cli: Cli): Command {
  return new Command('completion')
    .description('print a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  $ turnstore completion bash > ~/.local/share/bash-completion/completions/turnstore
  $ turnstore completion zsh > "\${fpath[1]}/_turnstore"
  $ turnstore completion fish > ~/.config/fish/completions/turnstore.fish`,
    )
    .action(async (shell: string, _options: unknown, command: Command) => {
      if (command.parent !== null) await cli.print(completionScript(shell, command.parent))
    })
}
