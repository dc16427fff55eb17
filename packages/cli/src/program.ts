import { Command, CommanderError } from 'commander'
import { addSettings } from './config/add-settings.ts'
import { nearest } from './config/nearest.ts'
import type { CommandContext } from './context.ts'
import { contributeExamples, contributeFlags } from './contribute/help.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { addKeyCommands } from './key-commands.ts'
import type { Action, Run } from './run.ts'
import { version } from './version.ts'

export type ProgramContext = Omit<CommandContext, 'flags'>

/** Reads the command line and runs the command that it names. Resolves to the exit code. */
export async function runProgram(args: readonly string[], context: ProgramContext): Promise<number> {
  let exitCode: number = exitCodes.ok
  const program = createProgram(context, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  }
  return exitCode
}

/** Creates the tree of commands. A command's code is imported when it runs, so that `--help` need not load it. */
export function createProgram(context: ProgramContext, onExit: (code: number) => void): Command {
  const { terminal } = context
  const program = new Command('petals-chat')
    .description(
      'Chat with, and build on, large language models served by a Petals swarm or by this machine.',
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.noteStream.write(text),
    })
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(110, terminal.columns) })
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', helpFooter)
  addSettings(program)

  const run: Run =
    (load) =>
    async (...params) => {
      const command = params.at(-1) as Command
      const action = await load()
      onExit((await action({ ...context, flags: command.optsWithGlobals() }, command.args)) ?? exitCodes.ok)
    }
  addCommands(program, run)
  addModelCommands(program.command('models').description('list, download, delete and inspect models'), run)
  addContributeCommand(program, run)
  addKeyCommands(program.command('keys').description('make, list, rotate, revoke and back up API keys'), run)
  addSwarmCommands(program.command('swarm').description('show the Petals swarm'), run)
  addServiceCommands(program.command('service').description('start the server by itself, for this user'), run)
  addConfigCommands(program.command('config').description('check and print the configuration'), run)
  nameOwnHelp(program)
  return program
}

/** Lets each command name its own help after a mistake in its arguments. */
function nameOwnHelp(command: Command, parents = ''): void {
  const name = `${parents}${command.name()}`
  command.configureOutput({
    outputError: (text, write) => write(`${text.trim()}\nSee ${name} --help.\n`),
  })
  for (const each of command.commands) nameOwnHelp(each, `${name} `)
}

function addCommands(program: Command, run: Run): void {
  program
    .command('serve', { isDefault: true })
    .description('serve the chat page and the APIs (the default command)')
    .allowExcessArguments()
    .action(run(onlyCommandsOf(program, async () => (await import('./commands/serve.ts')).serve)))
  program
    .command('chat')
    .argument('[prompt...]', "one question: prints the answer and exits; '-' stands for the text on stdin")
    .description('chat in the terminal')
    .option('-s, --system <text>', 'system prompt')
    .option('-t, --temperature <number>', 'randomness; 0: always the most probable token')
    .option('-n, --max-tokens <number>', 'maximum length of an answer, in tokens')
    .action(run(async () => (await import('./commands/chat.ts')).chat))
  program
    .command('doctor')
    .description('check this machine, and say how to fix problems')
    .action(run(async () => (await import('./commands/doctor.ts')).doctor))
  program
    .command('usage')
    .description('show what API keys and people have used, by caller and model')
    .option('--days <number>', 'how many days back, in UTC; default: 30')
    .option('--key <name>', 'only this key, by its id or name')
    .option('--json', 'print JSON, one entry for each day, caller and model')
    .action(run(async () => (await import('./commands/usage.ts')).showUsage))
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh, fish or powershell')
    .description('print a script that completes commands and flags in a shell')
    .action(
      run(async () => {
        const { completion } = await import('./commands/completion.ts')
        return (context, args) => completion(context, args, program)
      }),
    )
}

/** Adds the command with its own flags and a few of the program's, some of which apply to the Petals server here. */
function addContributeCommand(program: Command, run: Run): void {
  const command = program
    .command('contribute')
    .argument(
      '[model]',
      'a repository of the Hub (owner/repo), a folder, a GGUF file, or a configured model; default: the model of the configuration, or the only one of the swarm',
    )
    .description('share this machine: serve blocks of a model in a Petals swarm')
  for (const [flag, summary] of contributeFlags) command.option(flag, summary)
  const shown = /^--(config|offline)$/
  command
    .configureHelp({
      ...program.configureHelp(),
      visibleGlobalOptions: () => program.options.filter(({ long }) => shown.test(long ?? '')),
    })
    .addHelpText('after', contributeExamples)
    .action(run(async () => (await import('./commands/contribute.ts')).contribute))
}

function addModelCommands(models: Command, run: Run): void {
  models
    .command('list', { isDefault: true })
    .description('list the configured models, and the contents of the caches')
    .allowExcessArguments()
    .action(run(onlyCommandsOf(models, async () => (await import('./commands/models-list.ts')).listModels)))
  const named = (name: string) => models.command(`${name} <model>`)
  named('pull')
    .description('download the files of a model (a configured name, or a source)')
    .action(run(async () => (await import('./commands/models-pull.ts')).pullModel))
  named('rm')
    .description("delete a model's files from the caches")
    .action(run(async () => (await import('./commands/models-rm.ts')).removeModel))
  named('info')
    .description('show size, architecture, context length, memory and licence of a model')
    .action(run(async () => (await import('./commands/models-info.ts')).showModel))
}

function addSwarmCommands(swarm: Command, run: Run): void {
  swarm
    .command('status', { isDefault: true })
    .description('show the servers of the swarm, their blocks, and what is missing')
    .option('-w, --watch', 'update every two seconds')
    .option('--json', 'print JSON, as GET /api/v1/swarm does; with --watch, one line for each update')
    .allowExcessArguments()
    .action(run(onlyCommandsOf(swarm, async () => (await import('./commands/swarm-status.ts')).showSwarm)))
}

function addServiceCommands(service: Command, run: Run): void {
  const load = () => import('./commands/service.ts')
  service
    .command('install')
    .argument('[command...]', 'after --: contribute with its model and flags; default: serve')
    .description('start the server now and after each login, with the configuration of this folder')
    .option('--dry-run', 'print the file and the commands instead')
    .action(run(async () => (await load()).installService))
  service
    .command('uninstall')
    .argument('[which]', 'serve (default) or contribute')
    .description('stop the service, and remove it')
    .action(run(async () => (await load()).uninstallService))
  service
    .command('status')
    .argument('[which]', 'serve (default) or contribute')
    .description('show whether the service runs')
    .action(run(async () => (await load()).showService))
}

function addConfigCommands(config: Command, run: Run): void {
  config
    .command('check')
    .description('check the configuration, and list every mistake with its line')
    .action(run(async () => (await import('./commands/config-check.ts')).checkConfig))
  config
    .command('print')
    .description('print the effective configuration, and where each value comes from')
    .option('--json', 'print JSON, without the origins')
    .action(run(async () => (await import('./commands/config-print.ts')).printConfig))
  config
    .command('import')
    .argument('[file]', 'the config.py of chat.petals.dev; it is read, never run', 'config.py')
    .description('print the configuration that a config.py of chat.petals.dev means')
    .action(run(async () => (await import('./commands/config-import.ts')).importConfig))
}

/** The default command also gets every word that is not a command: refuses such words. */
function onlyCommandsOf(parent: Command, load: () => Promise<Action>): () => Promise<Action> {
  return async () =>
    async (context, [word]) => {
      if (word !== undefined) throw unknownCommand(word, parent)
      return (await load())(context, [])
    }
}

function unknownCommand(word: string, parent: Command): CommandError {
  const names = parent.commands.map((command) => command.name())
  const near = nearest(word, names)
  const hint = near === undefined ? `Commands: ${names.join(', ')}.` : `Did you mean '${near}'?`
  return new CommandError(`There is no command '${word}'. ${hint}`, exitCodes.usage)
}

const helpFooter = `
Flags take precedence over environment variables, these over the configuration file, and the file over defaults.
HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT and HF_HUB_OFFLINE have the same meaning as in Hugging Face's programs.

Examples:
  petals-chat                                        serve the default model on http://127.0.0.1:5000
  petals-chat --model ./model.gguf --open            serve a local file and open the page
  petals-chat --model hf:owner/repo:Q4_K_M           serve a model of the Hugging Face Hub
  petals-chat swarm status --watch                   show the Petals swarm
  petals-chat --host 0.0.0.0                         serve others as well; they need API keys
  petals-chat keys create lab --expires 90d          make an API key
  petals-chat contribute owner/repo                  serve blocks of a model in the swarm
  petals-chat chat "What is the capital of France?"  ask in the terminal

Exit status: 0 success, 1 failure, 2 wrong command line or configuration, 130 interrupted.`
