// One function.
import { html } from '../lib/html.js';
import { lambda, name as inPath } from '../lib/api.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { Badge, Head, Loaded } from '../lib/parts.js';
import { RuntimeBadge } from './functions.js';
import { Code } from './code.js';
import { Configuration } from './configuration.js';
import { Versions } from './versions.js';
import { Triggers } from './sources.js';
import { Monitor } from './monitor.js';
import { Test } from './test.js';

const tabs = [
  ['test', 'Test', Test],
  ['code', 'Code', Code],
  ['configuration', 'Configuration', Configuration],
  ['versions', 'Versions', Versions],
  ['triggers', 'Triggers', Triggers],
  ['monitor', 'Monitor', Monitor],
];

export function FunctionScreen({ name, tab = 'test', query }) {
  const loaded = useLoad((signal) => lambda('GET', `/2015-03-31/functions/${inPath(name)}`, { signal }), [name], { every: 15000 });
  const f = loaded.data?.Configuration;
  const Screen = tabs.find(([path]) => path === tab)?.[2];
  return html`<${Head} title=${name} crumb=${html`<a href=${to(['functions'])}>Functions</a>`}>
      ${f ? html`<${RuntimeBadge} f=${f} /><${StateBadge} f=${f} />` : null}
    <//>
    <nav aria-label=${'Parts of ' + name}><ul class="tabs">${tabs.map(([path, title]) => html`<li><a href=${to(['functions', name, path])} aria-current=${path === tab ? 'page' : undefined}>${title}</a></li>`)}<li><a href=${to(['logs'], { function: name })}>Logs</a></li></ul></nav>
    <div class="stack"><${Loaded} from=${loaded}>${(data) => (Screen ? html`<${Screen} key=${tab} name=${name} f=${data.Configuration} all=${data} query=${query} reload=${loaded.reload} />` : html`<p>There is no such part.</p>`)}<//></div>`;
}

function StateBadge({ f }) {
  if (f.State && f.State !== 'Active') return html`<${Badge} kind=${f.State === 'Failed' ? 'bad' : 'warn'} title=${f.StateReason}>${f.State}<//>`;
  if (f.LastUpdateStatus === 'Failed') return html`<${Badge} kind="bad" title=${f.LastUpdateStatusReason}>update failed<//>`;
  if (f.LastUpdateStatus === 'InProgress') return html`<${Badge} kind="warn">updating<//>`;
  return html`<${Badge} kind="good">active<//>`;
}
