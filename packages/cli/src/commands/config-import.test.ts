import { expect, it } from 'vitest'
import { reportFailure } from '../failure.ts'
import { runProgram } from '../program.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'

async function run(source: string, then?: readonly string[]) {
  await using folder = await temporaryFolder()
  await folder.write('config.py', source)
  const call = async (args: readonly string[]) => {
    const { terminal, stdout, stderr } = recordingTerminal()
    const code = await runProgram(args, { terminal, environment: {}, workingDirectory: folder.path }).catch(
      (error: unknown) => reportFailure(error, terminal, { withStack: false }),
    )
    return { code, stdout: stdout(), stderr: stderr() }
  }
  const imported = await call(['config', 'import', 'config.py'])
  if (then === undefined) return imported
  await folder.write('petals-chat.yaml', imported.stdout)
  return await call(then)
}

const source = `
MODELS = [ModelInfo(repo="bigscience/bloomz", name="BLOOMZ")]
DEVICE = "cuda"
STEP_TIMEOUT = 60
`

it('prints a configuration that the program takes', async () => {
  expect(await run(source)).toMatchObject({ code: 0, stderr: expect.stringContaining('DEVICE') as string })
  expect(await run(source, ['config', 'check'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('valid, 1 model (bigscience/bloomz)') as string,
  })
})

it.each([
  ['', /has no models/],
  ['MODELS = [ModelInfo(repo="a/b")', /config\.py: .*ends in the middle/],
  ['MODELS = [ModelInfo(repo="not a repository")]', /config\.py: models\.0/],
])('says what is wrong in %j', async (text, message) => {
  expect(await run(text)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(message) as string,
  })
})
