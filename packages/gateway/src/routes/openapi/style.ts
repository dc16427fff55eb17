/** The style sheet of /docs. It is a separate file because this server's pages forbid inline styles. */
export const documentationStyle = `:root {
  color-scheme: light dark;
  --ink: light-dark(#1c1b22, #e8e6ee);
  --quiet: light-dark(#5b5967, #a9a6b8);
  --line: light-dark(#dddbe4, #3a3845);
  --paper: light-dark(#ffffff, #17161c);
  --tint: light-dark(#f5f4f8, #211f28);
  --link: light-dark(#5b2bb5, #c3a6ff);
}
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { line-height: 1.2; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
h3 { margin-top: 2.5rem; font-family: ui-monospace, monospace; font-size: 1.05rem; overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
code { background: var(--tint); border-radius: .25rem; padding: .1em .3em; }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto; }
pre code { background: none; padding: 0; }
.method { display: inline-block; min-width: 3rem; color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .8rem .4rem 0; text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
td:first-child { white-space: nowrap; }
td.type { color: var(--quiet); min-width: 10rem; }
summary { font-family: ui-monospace, monospace; cursor: pointer; padding: .3rem 0; }
@media (max-width: 40rem) {
  thead { display: none; }
  tr, td { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  td { border: 0; padding: .1rem 0; }
}
nav ul { columns: 18rem; padding-left: 1.2rem; }
`
