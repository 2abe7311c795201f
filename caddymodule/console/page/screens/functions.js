// The list of functions.
import { html, useState, useEffect, useMemo, useRef } from '../lib/html.js';
import { useFunctions } from '../lib/functions.js';
import { own } from '../lib/api.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { ago, count, duration } from '../lib/format.js';
import { series, sum } from '../lib/metrics.js';
import { Spark } from '../lib/chart.js';
import { Badge, Head, Problem } from '../lib/parts.js';

const mostKept = 400; // functions whose last hour is kept
const spare = 12; // rows beyond the window, above and below

// useWindow is which rows are near the visible part of the page.
function useWindow(count) {
  const list = useRef();
  const [seen, setSeen] = useState(() => ({ from: 0, to: Math.ceil(innerHeight / 46), height: 46 }));
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

const columns = [['Invocations', 'Sum'], ['Errors', 'Sum'], ['Throttles', 'Sum'], ['Duration', 'p50'], ['Duration', 'p99'], ['ColdStarts', 'Sum']];

// useHour is the last hour of the functions that are shown: by name, the values of each column.
function useHour(names) {
  const kept = useRef(new Map());
  useLoad(async (signal) => {
    const end = Date.now();
    const { series: all } = await series(names.flatMap((name) => columns.map(([metric, stat]) => ({ name, metric, stat }))), { start: end - 3600e3, end, period: 60 }, signal);
    names.forEach((name, n) => {
      kept.current.delete(name); // what is shown now is the last to go
      kept.current.set(name, all.slice(n * columns.length, (n + 1) * columns.length));
    });
    for (const name of kept.current.keys()) {
      if (kept.current.size <= mostKept) break;
      kept.current.delete(name);
    }
    return true;
  }, [names.join('\n')], { every: 15000 });
  return kept.current;
}

const last = (values) => values.findLast((v) => v !== null);

// The cells of a function's last hour. The one for the telephone is the calls.
function Hour({ values }) {
  if (!values) return html`<span role="cell" class="calls"></span><span role="cell" class="hide-small"></span><span role="cell" class="hide-small"></span><span role="cell" class="hide-small cold"></span>`;
  const [calls, errors, throttles, p50, p99, cold] = values;
  const failed = sum(errors);
  const refused = sum(throttles);
  return html`<span role="cell" class="spark calls" title=${`${sum(calls)} calls, ${refused} throttled`}><${Spark} values=${calls} /><span class="figure">${count(sum(calls))}${refused ? html`<br /><span class="warn small">${count(refused)} throttled</span>` : null}</span></span>
    <span role="cell" class="spark s3 hide-small"><${Spark} values=${errors} /><span class=${'figure ' + (failed ? 'bad' : 'dim')}>${count(failed)}</span></span>
    <span role="cell" class="spark s2 hide-small" title=${`p50 ${duration(last(p50))}, p99 ${duration(last(p99))}`}><${Spark} values=${p99} zero=${false} /><span class="figure two">${duration(last(p50))}<br /><span class="dim">${duration(last(p99))}</span></span></span>
    <span role="cell" class="spark s4 hide-small cold"><${Spark} values=${cold} /><span class="figure">${count(sum(cold))}</span></span>`;
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
  const hour = useHour(shown.map((f) => f.FunctionName));
  return html`<${Head} title="Functions">
      <input class="search" type="search" placeholder="Search by name, runtime, description" aria-label="Search functions" value=${search} onInput=${(e) => setSearch(e.target.value)} />
    <//>
    <${Problem} error=${error} />
    <section class="panel" aria-label="Functions">
      <div role="table" aria-label="Functions" aria-rowcount=${found.length + 1}>
        <div class="list-row titles" role="row" aria-rowindex="1">
          <span role="columnheader">Function <span class="num">(${found.length}${complete ? '' : ' so far'})</span></span><span role="columnheader" class="serves">Runtime</span>
          <span role="columnheader" class="right">Calls, last hour</span><span role="columnheader" class="right">Errors</span><span role="columnheader" class="right">p50, p99</span><span role="columnheader" class="right cold">Cold starts</span>
          <span role="columnheader" class="right late">Changed</span>
        </div>
        <div class="list" role="rowgroup" ref=${rows.list}>
          <div role="presentation" style=${{ height: rows.from * rows.height + 'px' }}></div>
          ${shown.map((f, n) => html`<div class="list-row" role="row" key=${f.FunctionName} aria-rowindex=${rows.from + n + 2}>
            <span role="cell"><a class="list-name" href=${to(['functions', f.FunctionName])}>${f.FunctionName}</a><span class="list-about">${f.Description || f.Handler || ''}</span></span>
            <span role="cell" class="serves"><${RuntimeBadge} f=${f} runtimes=${runtimes.data} /></span>
            <${Hour} values=${hour.get(f.FunctionName)} />
            <span role="cell" class="right dim small late hide-small" title=${f.LastModified}>${ago(f.LastModified)}</span>
          </div>`)}
          <div role="presentation" style=${{ height: Math.max(0, found.length - rows.from - shown.length) * rows.height + 'px' }}></div>
        </div>
      </div>
      ${complete && list.length === 0 ? html`<div class="empty"><p>There are no functions yet. Deploy one: <code>caddy hearth deploy DIR</code></p></div>` : null}
      ${complete && list.length > 0 && found.length === 0 ? html`<div class="empty"><p>No function has this in its name, runtime or description.</p></div>` : null}
      ${!complete && list.length === 0 && !error ? html`<div class="empty" role="status">Loading…</div>` : null}
    </section>`;
}
