// Graphs of a function.
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { series } from '../lib/metrics.js';
import { go } from '../lib/route.js';
import { count, duration } from '../lib/format.js';
import { Graph } from '../lib/chart.js';
import { Loaded } from '../lib/parts.js';

const ranges = { '1h': ['1 hour', 1, 60], '3h': ['3 hours', 3, 60], '12h': ['12 hours', 12, 300], '24h': ['1 day', 24, 300], '72h': ['3 days', 72, 3600], '168h': ['7 days', 168, 3600], '336h': ['14 days', 336, 3600] };

const graphs = [
  ['Invocations', [['calls', 'Invocations', 'Sum', '1'], ['errors', 'Errors', 'Sum', 'bad']], count, true],
  ['Duration', [['p50', 'Duration', 'p50', '2'], ['p90', 'Duration', 'p90', '4'], ['p99', 'Duration', 'p99', '1']], duration],
  ['Throttles', [['throttles', 'Throttles', 'Sum', '4']], count, true],
  ['Concurrent executions', [['most at once', 'ConcurrentExecutions', 'Maximum', '2']], count],
  ['Cold starts', [['cold starts', 'ColdStarts', 'Sum', '2']], count, true],
  ['Init duration', [['p50', 'InitDuration', 'p50', '2'], ['p99', 'InitDuration', 'p99', '1']], duration],
  ['Memory', [['most used', 'MaxMemoryUsed', 'Maximum', '3']], (mb) => count(Math.round(mb)) + ' MB'],
];

export function Monitor({ name, query }) {
  const range = Object.hasOwn(ranges, query.range ?? '') ? query.range : '1h';
  const [, hours, period] = ranges[range];
  const loaded = useLoad(async (signal) => {
    const end = Date.now();
    const found = await series(graphs.flatMap(([, lines]) => lines.map(([, metric, stat]) => ({ name, metric, stat }))), { start: end - hours * 3600e3, end, period }, signal);
    return { range, ...found };
  }, [name, range], { every: 15000 });
  // Counters are read once a second: a point may have a call whose lines are of the second before.
  const pick = (start, end) => go(['logs'], { function: name, start: String(start - 1000), end: String(end) });
  let at = 0;
  return html`<div class="row"><label class="row"><span class="dim small">Time</span><select aria-label="Time" value=${range} onChange=${(e) => go(['functions', name, 'monitor'], { range: e.target.value })}>${Object.entries(ranges).map(([value, [title]]) => html`<option value=${value}>${title}</option>`)}</select></label><span class="dim small">A click on a graph shows the log of that time.</span></div>
    <${Loaded} from=${loaded}>${(data) => html`<div class="graphs">${graphs.map(([title, lines, format, bars]) => html`<${Graph} key=${title} title=${title} data=${data} format=${format} bars=${bars} onPick=${pick} lines=${lines.map(([label, , , kind]) => ({ title: label, kind, values: data.series[at++] }))} />`)}</div>`}<//>`;
}
