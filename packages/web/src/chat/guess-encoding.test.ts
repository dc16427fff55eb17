import { describe, expect, it } from 'vitest'
import { decodeAs, guessEncoding } from './guess-encoding.ts'

/** Encoding, text, and its bytes in Base64. */
const samples = [
  [
    'windows-1252',
    'Grüße aus Köln: „Straße“ – 5 €\nCafé crème, señor, ação.\n',
    'R3L832UgYXVzIEv2bG46IIRTdHJh32WTIJYgNSCADQpDYWbpIGNy6G1lLCBzZfFvciwgYefjby4NCg==',
  ],
  ['windows-1252', 'été', '6XTp'],
  [
    'windows-1252',
    'Les élèves étaient déjà à l’école où l’on français parlait.',
    'TGVzIOls6HZlcyDpdGFpZW50IGTpauAg4CBskuljb2xlIG/5IGySb24gZnJhbudhaXMgcGFybGFpdC4=',
  ],
  [
    'shift_jis',
    'これは日本語のテキストです。\n漢字とカタカナも入っています。\n',
    'grGC6oLNk/qWe4zqgsyDZYNMg1iDZ4LFgreBQgqKv46agsaDSoNeg0qDaYLgk/yCwYLEgqKC3IK3gUIK',
  ],
  [
    'euc-jp',
    'これは日本語のテキストです。\n漢字とカタカナも入っています。\n',
    'pLOk7KTPxvzL3LjspM6lxqWtpbmlyKTHpLmhowq0wbv6pMilq6W/paulyqTixv6kw6TGpKSk3qS5oaMK',
  ],
  [
    'gb18030',
    '这是一个中文文件。\n它包含常用的汉字，例如：你好，世界！\n',
    '1eLKx9K7uPbW0M7EzsS8/qGjCsv8sPy6rLOj08O1xLq619ajrMD9yOejusTjusOjrMrAveejoQo=',
  ],
  [
    'euc-kr',
    '이것은 한국어 문서입니다.\n안녕하세요, 세계!\n',
    'wMywzcC6IMfRsbm+7iC5rrytwNS0z7TZLgq+yLPnx8+8vL/kLCC8vLDoIQo=',
  ],
  ['big5', '這是一個繁體中文檔案。\n你好，世界！\n', 's2+sT6RArdPBY8XppKSk5cDJrtehQwqnQaZuoUGlQKzJoUkK'],
  ['windows-1251', 'Это русский текст.\nПривет, мир!\n', '3fLuIPDz8fHq6Okg8uXq8fIuCs/w6OLl8iwg7OjwIQo='],
  ['koi8-r', 'Это русский текст.\nПривет, мир!\n', '/NTPINLV09PLycog1MXL09QuCvDSydfF1CwgzcnSIQo='],
  [
    'windows-1253',
    'Αυτό είναι ένα ελληνικό κείμενο.\nΚαλημέρα κόσμε!\n',
    'wfX0/CDl3+3h6SDd7eEg5evr5+3p6vwg6uXf7OXt7y4KyuHr5+zd8eEg6vzz7OUhCg==',
  ],
  ['windows-1255', 'זהו טקסט בעברית.\nשלום עולם!\n', '5uTlIOj38egg4fLh+On6Lgr57OXtIPLl7O0hCg=='],
  [
    'windows-1256',
    'هذا نص باللغة العربية.\nمرحبا بالعالم!\n',
    '5dDHIOTVIMjH4eHbySDH4drRyO3JLgrj0c3IxyDIx+Hax+HjIQo=',
  ],
  [
    'windows-1250',
    'Zażółć gęślą jaźń, to jest polski tekst.\nŁódź i Kraków.\n',
    'WmG/87PmIGfqnGy5IGphn/EsIHRvIGplc3QgcG9sc2tpIHRla3N0Lgqj82SfIGkgS3Jha/N3Lgo=',
  ],
  [
    'utf-16le',
    'Plain ASCII text\nin two lines, with Grüße.\n',
    'UABsAGEAaQBuACAAQQBTAEMASQBJACAAdABlAHgAdAAKAGkAbgAgAHQAdwBvACAAbABpAG4AZQBzACwAIAB3AGkAdABoACAARwByAPwA3wBlAC4ACgA=',
  ],
  [
    'utf-16be',
    'Plain ASCII text\nin two lines, with Grüße.\n',
    'AFAAbABhAGkAbgAgAEEAUwBDAEkASQAgAHQAZQB4AHQACgBpAG4AIAB0AHcAbwAgAGwAaQBuAGUAcwAsACAAdwBpAHQAaAAgAEcAcgD8AN8AZQAuAAo=',
  ],
  ['utf-16le', '这是中文。\n你好，世界！\n', '2Y8vZi1Oh2UCMAoAYE99WQz/Fk5MdQH/CgA='],
  ['utf-16be', 'これは日本語です。\n', 'MFMwjDBvZeVnLIqeMGcwWTACAAo='],
  ['utf-16le', 'Hällo\n', '//5IAOQAbABsAG8ACgA='],
  ['windows-1251', 'привет мир', '7/Do4uXyIOzo8A=='],
  ['windows-1251', 'строка', '8fLw7urg'],
  ['windows-1252', 'Größe; Länge; Höhe\n10; 20; 30\n', 'R3L232U7IEzkbmdlOyBI9mhlCjEwOyAyMDsgMzAK'],
  ['shift_jis', '氏名,住所\n山田太郎,東京都\n', 'joGWvCyPWo+KCo5Sk2ORvphZLJOMi56Tcwo='],
  ['gb18030', '姓名,地址\n张三,北京市\n', '0NXD+yy12Na3CtXFyP0ssbG+qcrQCg=='],
  ['euc-kr', '이름,주소\n홍길동,서울시\n', 'wMy4pyzB1rzSCsirsea1vyy8rb/vvcMK'],
  ['windows-1252', 'Don’t “quote” me\n', 'RG9uknQgk3F1b3RllCBtZQo='],
] as const
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))

describe('the encoding of a file', () => {
  it.each(samples)('%s is recognized by its bytes: %j', (encoding, text, base64) => {
    const bytes = bytesOf(base64)
    expect(guessEncoding(bytes)).toBe(encoding)
    expect(decodeAs(bytes, encoding)).toBe(text)
  })

  it('is recognized from a sample of a large file, wherever the sample ends', () => {
    for (const [encoding, , base64] of samples.filter(([name]) => !name.startsWith('utf'))) {
      const one = bytesOf(base64)
      const count = Math.ceil(70_000 / one.length)
      for (const shift of [0, 1, 2]) {
        const parts = [
          new TextEncoder().encode('x'.repeat(shift)),
          ...Array.from({ length: count }, () => one),
        ]
        expect(guessEncoding(Buffer.concat(parts)), encoding).toBe(encoding)
      }
    }
  })

  it.each([
    ['ASCII', new TextEncoder().encode('plain\n'), 'utf-8'],
    ['UTF-8', new TextEncoder().encode('Grüße 🌷 中文'), 'utf-8'],
    ['UTF-8 with icons of a terminal', new TextEncoder().encode('\ue0b0 prompt'), 'utf-8'],
    ['UTF-8 with its mark', new TextEncoder().encode('\ufeffa'), 'utf-8'],
  ])('%s stays what it is', (_, bytes, encoding) => expect(guessEncoding(bytes)).toBe(encoding))

  it.each([
    [
      'a picture',
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
    ],
    ['the beginning of a picture', 'iVBORw=='],
    ['another picture', '/9j/4AAQSkZJRgABAQEAYABgAAD/2wBD'],
    ['an archive', 'UEsDBBQAAAAIAA=='],
    ['compressed data', 'H4sIAAAAAAAAA8tIzcnJVyjPL8pJUeQCAJ=='],
    ['controls', 'AAECAwQF'],
  ])('is undefined for %s', (_, base64) => expect(guessEncoding(bytesOf(base64))).toBeUndefined())

  it('is undefined for noise', () => {
    let state = 1
    const noise = Uint8Array.from({ length: 4000 }, () => (state = (state * 48_271) % 2_147_483_647) >> 8)
    for (let length = 40; length < noise.length; length += 100)
      expect(guessEncoding(noise.subarray(length - 40, length))).toBeUndefined()
  })
})
