import type { Command } from 'commander'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

/** The words that may follow each command: `models` → `list pull rm info --host …`. */
export type Words = ReadonlyMap<string, readonly string[]>

const shells: Readonly<Record<string, (words: Words) => string>> = { bash, zsh, fish, powershell }

/** Prints a completion script that is generated from the program's own commands. */
export async function completion(
  { terminal }: CommandContext,
  [shell = '']: readonly string[],
  program: Command,
): Promise<void> {
  const script = shells[shell]
  if (script === undefined) {
    const known = Object.keys(shells).join(', ')
    throw new CommandError(`There is no completion for '${shell}'. Shells: ${known}.`, exitCodes.usage)
  }
  terminal.out(script(collectWords(program)))
}

export function collectWords(program: Command): Words {
  const globals = program.options.flatMap(({ long }) => long ?? [])
  const wordsOf = (command: Command) => [
    ...command.commands.map((child) => child.name()),
    ...new Set([...command.options.flatMap(({ long }) => long ?? []), ...globals, '--help']),
  ]
  return new Map(
    [program, ...program.commands].map((command) => [
      command === program ? '' : command.name(),
      wordsOf(command),
    ]),
  )
}

/** One `case` branch for each command, in the syntax that bash and zsh share. */
const branches = (words: Words) =>
  [...words]
    .filter(([command]) => command !== '')
    .map(([command, list]) => `    ${command}) words="${list.join(' ')}" ;;`)
    .join('\n')

function bash(words: Words): string {
  return `# petals-chat completion for bash: add to ~/.bashrc
#   eval "$(petals-chat completion bash)"
_petals_chat() {
  local words
  case "\${COMP_WORDS[1]}" in
${branches(words)}
    *) words="${words.get('')!.join(' ')}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _petals_chat petals-chat`
}

function zsh(words: Words): string {
  return `#compdef petals-chat
# petals-chat completion for zsh: add to ~/.zshrc, after compinit
#   eval "$(petals-chat completion zsh)"
_petals_chat() {
  local words_of
  case "\${words[2]}" in
${branches(words).replaceAll('words=', 'words_of=')}
    *) words_of="${words.get('')!.join(' ')}" ;;
  esac
  compadd -- \${=words_of} || _files
}
compdef _petals_chat petals-chat`
}

function fish(words: Words): string {
  const top = words.get('')!
  const lines = [...words].flatMap(([command, list]) =>
    list
      .filter((word) => command === '' || !top.includes(word))
      .map((word) => {
        const condition = command === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${command}`
        const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`
        // The program's own flags are valid for every command.
        return `complete -c petals-chat${command === '' && word.startsWith('--') ? '' : ` -n '${condition}'`} ${what}`
      }),
  )
  return [
    '# petals-chat completion for fish: save as ~/.config/fish/completions/petals-chat.fish',
    ...lines,
  ].join('\n')
}

function powershell(words: Words): string {
  const table = [...words].map(([command, list]) => `    '${command}' = @('${list.join("', '")}')`).join('\n')
  return `# petals-chat completion for PowerShell: add to $PROFILE
#   petals-chat completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName petals-chat -ScriptBlock {
  param($word, $ast, $position)
  $words = @{
${table}
  }
  $command = if ($ast.CommandElements.Count -gt 1) { $ast.CommandElements[1].ToString() } else { '' }
  if (-not $words.ContainsKey($command)) { $command = '' }
  $words[$command] | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}`
}
