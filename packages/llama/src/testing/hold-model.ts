/** A program that loads the test model, prints the id of its process, and computes until it is killed. */
import { greedy } from '@petals-chat/engine'
import { openTestModel } from './test-model.ts'

const { model } = await openTestModel()
process.stdout.write(`${model.pid}\n`)
const session = await model.openSession({ maxLength: model.contextLength })
for (;;) {
  await session.truncate(0)
  for await (const _ of session.generate(model.tokenizer.encode('Once'), { sampling: greedy })) {
    if (session.tokens.length > 300) break
  }
}
