"""How the page at /docs looks: one column that fits a phone, and both of the browser's colour schemes."""

# Text keeps a contrast of at least 4.5:1 on its ground in either scheme.
STYLE = """\
:root {
  --ink: #1c2733; --soft: #566372; --ground: #fff; --raised: #f4f6f8; --line: #d7dde3; --link: #0b5cad;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6ebf0; --soft: #9fadbb; --ground: #14191f; --raised: #1d242c; --line: #36414d; --link: #7db8f5;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  margin: 0 auto; max-width: 52rem; padding: 2rem 1rem 6rem; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.4rem; margin: 3rem 0 .25rem; padding-top: 1rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2.25rem 0 .25rem; }
h4 { font-size: .95rem; margin: 1rem 0 .25rem; color: var(--soft); }
p { margin: .5rem 0; }
a { color: var(--link); }
code { font: .9em ui-monospace, monospace; background: var(--raised); padding: .1em .3em;
  border-radius: .25rem; }
h3 code { background: none; padding: 0; font-weight: 600; }
.method { display: inline-block; min-width: 4.6em; text-align: center; margin-right: .4rem;
  font: 700 .8rem ui-monospace, monospace; border: 1px solid currentColor; border-radius: .25rem;
  padding: .1rem .35rem; }
.soft { color: var(--soft); }
nav ul { list-style: none; padding: 0; margin: .25rem 0 1rem; }
nav li { margin: .5rem 0; }
nav a { text-decoration: none; }
dl { margin: .25rem 0; border-left: 3px solid var(--line); padding-left: .9rem; }
dt { margin-top: .6rem; }
dd { margin: .1rem 0 0; }
"""
