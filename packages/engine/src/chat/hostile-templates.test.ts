import { describe, expect, it } from 'vitest'
import { InvalidRequestError, ModelUnavailableError } from '../errors.ts'
import type { ChatMessage } from './chat-template.ts'
import { createJinjaChatTemplate } from './jinja-chat-template.ts'

const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content })

function failureOf(task: () => unknown): unknown {
  try {
    return task()
  } catch (error) {
    return error
  }
}

/** Texts of a megabyte, which differ from each other only in the middle. */
const megabytes =
  "{% set ns = namespace(s='a') %}{% for i in range(18) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}" +
  "{% set text = ns.s ~ ns.s ~ ns.s ~ ns.s %}{% set needle = ns.s ~ 'b' ~ ns.s %}"

describe('a hostile template', () => {
  const hostile: Readonly<Record<string, string>> = {
    'nested empty loops': '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}',
    'loops over a kept list':
      '{% set r = range(100000) %}{% for i in r %}{% for j in r %}{% endfor %}{% endfor %}',
    'a filtered loop':
      '{% set r = range(100000) %}{% for i in r %}{% for j in r if j < 0 %}{% endfor %}{% endfor %}',
    'a huge range': '{% for i in range(1000000000000) %}{% endfor %}',
    'text that doubles':
      "{% set ns = namespace(s='a') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    'text by replacement':
      "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(9) %}{% set ns.s = ns.s | replace('a', ns.s) %}{% endfor %}",
    'lists that double':
      '{% set ns = namespace(a=[1]) %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}',
    'long output':
      "{% set line = '0123456789' | indent(width=4000, first=true) %}{% for i in range(9999) %}{{ line }}{% endfor %}",
    // Each of these searches compares 10^12 characters in one native call: minutes that nothing can end.
    'a search in a text': `${megabytes}{% if needle in text %}{% endif %}`,
    'a negated search': `${megabytes}{% if needle not in text %}{% endif %}`,
    'a split at a long text': `${megabytes}{{ text.split(needle) | length }}`,
    'the replacement of a long text': `${megabytes}{{ text.replace(needle, 'x') | length }}`,
    'a filter that replaces a long text': `${megabytes}{{ text | replace(needle, 'x') | length }}`,
    'a filter with names of arguments': `${megabytes}{{ text | replace(*[needle, 'x']) | length }}`,
    'a long text between items': `${megabytes}{{ range(1000) | join(text) | length }}`,
    'a deep indentation': "{{ ('a\n' ~ 'a\n') | indent(width=100000000) | length }}",
    'a deep indentation of JSON': '{{ [[[1]]] | tojson(indent=100000000) | length }}',
    'values that contain each other twice':
      '{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}',
    'deep recursion': '{% macro f(f, x) %}{{ f(f, x) }}{% endmacro %}{{ f(f, 1) }}',
  }

  for (const [name, source] of Object.entries(hostile)) {
    it(`with ${name} soon ends with an error`, () => {
      const started = process.cpuUsage()
      const error = failureOf(() =>
        createJinjaChatTemplate({ template: source, bosText: '', eosText: '' }).render([user('a')]),
      )
      expect(error).toBeInstanceOf(InvalidRequestError)
      expect(String(error)).toMatch(
        /more than \d+ steps|longer than \d+ (?:characters|ms)|Invalid string length|call stack/,
      )
      expect(String(error).length).toBeLessThan(1000)
      expect(process.cpuUsage(started).user / 1000).toBeLessThan(20_000)
    })
  }

  it.each([
    // The library searches for white space before each tag.
    ['of spaces', ' '.repeat(250_000), /longer than 3000 ms/],
    ['that is too long', 'a'.repeat(300_000), /has 300000 characters; at most/],
    ['that nests brackets', `{{ ${'('.repeat(100_000)} }}`, /can't be read/],
  ])('%s is refused when the model loads', (_, source, message) => {
    const error = failureOf(() => createJinjaChatTemplate({ template: source, bosText: '', eosText: '' }))
    expect(error).toBeInstanceOf(ModelUnavailableError)
    expect(String(error)).toMatch(message)
  })

  it('whose limits leave room for a long ordinary dialogue', () => {
    const source =
      "{% for m in messages %}{% if '</think>' in m.content %}{% set parts = m.content.split('</think>') %}{% endif %}" +
      "<turn>{{ m.role }}\n{{ m.content | trim | replace('\n', '\n  ') }}</turn>{% endfor %}"
    const ordinary = createJinjaChatTemplate({ template: source, bosText: '', eosText: '' })
    const messages = Array.from({ length: 4000 }, (_, index) =>
      index % 2 === 0 ? user('question '.repeat(20)) : assistant('answer '.repeat(100)),
    )
    expect(ordinary.render(messages).length).toBeGreaterThan(1_500_000)
  })
})
