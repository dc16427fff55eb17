/** For `node -e` inside a container: ends with 0 once the default model can be used. */
export const isReady =
  "fetch('http://127.0.0.1:5000/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"

/** For `node -e KEY`: prints the status and the body of an answer. */
export const ask = `fetch('http://127.0.0.1:5000/v1/completions', {
  method: 'POST',
  headers: { authorization: 'Bearer ' + process.argv[1], 'content-type': 'application/json' },
  body: JSON.stringify({ prompt: 'One, two,', max_tokens: 4, temperature: 0 }),
}).then(async (response) => console.log(response.status, await response.text()))`
