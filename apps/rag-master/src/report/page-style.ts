/** Of the page around uPlot's own style. The script reads the colours of lines and grids from here. */
export const pageStyle = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2126; --dim: #5d6873; --rule: #dde2e7;
  --s0: #1f6feb; --s1: #c2410c; --s2: #15803d; --s3: #7e22ce; --s4: #b45309; --s5: #0e7490; --s6: #be185d; --s7: #4d5560; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --ink: #e3e7eb; --dim: #98a3ae; --rule: #303840;
  --s0: #6cb0ff; --s1: #ff9a62; --s2: #5fd38a; --s3: #c99bff; --s4: #f2c14e; --s5: #5ed3e6; --s6: #ff8fc0; --s7: #aab4be; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { margin-top: 2.5rem; font-size: 1.15rem; }
p { margin: .5rem 0; max-width: 46rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
.wide th, .wide td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
.wide th { color: var(--dim); font-weight: 600; } .wide td.number { text-align: right; }
figure { margin: 1rem 0; } figcaption { color: var(--dim); font-size: .85rem; }
.uplot, .u-legend { color: var(--ink); max-width: 100%; } .u-legend { text-align: left; font-size: .85rem; }
.u-legend th, .u-legend td { padding: 0 .2rem; }
`;
