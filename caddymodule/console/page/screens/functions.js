// The list of functions.
import { html, useState, useEffect, useMemo, useRef } from '../lib/html.js';
import { useFunctions } from '../lib/functions.js';
import { own } from '../lib/api.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { ago } from '../lib/format.js';
import { Badge, Head, Problem } from '../lib/parts.js';

const spare = 12; // rows beyond the window, above and below

// useWindow is which rows are near the visible part of the page.
function useWindow(count) {
  const list = useRef();
  const [seen, setSeen] = useState({ from: 0, to: 40, height: 46 });
  useEffect(() => {
    const look = () => {
      if (!list.current) return;
      const height = list.current.querySelector('.list-row')?.offsetHeight || 46;
      const above = -list.current.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(above / height) - spare);
      const last = Math.ceil((above + innerHeight) / height) + spare;
      setSeen((before) => (before.from === from && before.to === last && before.height === height ? before : { from, to: last, height }));
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, [count]);
  return { list, ...seen };
}

export function RuntimeBadge({ f, runtimes }) {
  const serves = runtimes?.find((r) => r.runtime === f.Runtime);
  const kind = serves && !serves.program ? 'bad' : serves?.nearest ? 'warn' : '';
  return html`<${Badge} kind=${kind} title=${serves ? (serves.program ? `served by ${serves.program}` : 'nothing serves it here') : undefined}>${f.Runtime ?? f.PackageType ?? 'no runtime'}<//>`;
}

export function Functions() {
  const { list, complete, error } = useFunctions();
  const runtimes = useLoad((signal) => own('GET', 'runtimes', signal), []);
  const [search, setSearch] = useState('');
  const found = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    return words.length ? list.filter((f) => words.every((word) => `${f.FunctionName} ${f.Runtime} ${f.Description}`.toLowerCase().includes(word))) : list;
  }, [list, search]);
  const rows = useWindow(found.length);
  const shown = found.slice(rows.from, rows.to);
  return html`<${Head} title="Functions">
      <input class="search" type="search" placeholder="Search by name, runtime, description" aria-label="Search functions" value=${search} onInput=${(e) => setSearch(e.target.value)} />
    <//>
    <${Problem} error=${error} />
    <section class="panel" aria-label="Functions">
      <div role="table" aria-label="Functions" aria-rowcount=${found.length + 1}>
        <div class="list-row titles" role="row" aria-rowindex="1">
          <span role="columnheader">Function <span class="num">(${found.length}${complete ? '' : ' so far'})</span></span><span role="columnheader">Runtime</span>
          <span role="columnheader" class="right late">Changed</span>
        </div>
        <div class="list" role="rowgroup" ref=${rows.list}>
          <div role="presentation" style=${{ height: rows.from * rows.height + 'px' }}></div>
          ${shown.map((f, n) => html`<div class="list-row" role="row" key=${f.FunctionName} aria-rowindex=${rows.from + n + 2}>
            <span role="cell"><a class="list-name" href=${to(['functions', f.FunctionName])}>${f.FunctionName}</a><span class="list-about">${f.Description || f.Handler || ''}</span></span>
            <span role="cell" class="serves"><${RuntimeBadge} f=${f} runtimes=${runtimes.data} /></span>
            <span role="cell" class="right dim small late" title=${f.LastModified}>${ago(f.LastModified)}</span>
          </div>`)}
          <div role="presentation" style=${{ height: Math.max(0, found.length - rows.from - shown.length) * rows.height + 'px' }}></div>
        </div>
      </div>
      ${complete && list.length === 0 ? html`<div class="empty"><p>There are no functions yet. Deploy one: <code>caddy hearth deploy DIR</code></p></div>` : null}
      ${complete && list.length > 0 && found.length === 0 ? html`<div class="empty"><p>No function has this in its name, runtime or description.</p></div>` : null}
      ${!complete && list.length === 0 && !error ? html`<div class="empty" role="status">Loading…</div>` : null}
    </section>`;
}
