// Logs Insights: queries over logs.
import { html, useEffect, useState } from '../lib/html.js';
import { logs } from '../lib/api.js';
import { useAction } from '../lib/load.js';
import { useFunctions } from '../lib/functions.js';
import { go, place, to } from '../lib/route.js';
import { bytes, count } from '../lib/format.js';
import { Graph } from '../lib/chart.js';
import { groupOf } from '../lib/logview.js';
import { byTime } from '../lib/results.js';
import { Badge, Field, Head, Panel } from '../lib/parts.js';

const mostGroups = 50; // of StartQuery
const mostRows = 500; // that are drawn
const ranges = new Map([['15m', ['Last 15 minutes', 15]], ['1h', ['Last hour', 60]], ['24h', ['Last day', 1440]], ['168h', ['Last 7 days', 10080]]]);

const examples = [
  ['The last lines', 'fields @timestamp, @message\n| sort @timestamp desc\n| limit 100'],
  ['Errors', 'fields @timestamp, @log, @message\n| filter @message like /(?i)error|exception|timed out/\n| sort @timestamp desc\n| limit 100'],
  ['Slowest calls', 'filter @type = "REPORT"\n| fields @timestamp, @requestId, @duration, @maxMemoryUsed / 1000 / 1000 as mb\n| sort @duration desc\n| limit 25'],
  ['Calls and duration over time', 'filter @type = "REPORT"\n| stats count(*) as calls, pct(@duration, 99) as p99 by bin(5m)'],
];

const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

// run asks until a query is over. A query whose screen is left is stopped.
async function run({ groups, text, minutes }, signal, onProgress) {
  const now = Math.floor(Date.now() / 1000);
  const { queryId } = await logs('StartQuery', { logGroupNames: groups, startTime: now - minutes * 60, endTime: now, queryString: text }, signal);
  for (let wait = 50; ; wait = Math.min(1000, wait * 1.5)) {
    let answer;
    try {
      answer = await logs('GetQueryResults', { queryId }, signal);
    } finally {
      if (signal.aborted) logs('StopQuery', { queryId }).catch(() => {});
    }
    if (answer.status !== 'Running' && answer.status !== 'Scheduled') return answer;
    onProgress(answer);
    await pause(wait, signal);
  }
}

// placeOf is what a query that cannot be read has at the place of its error.
function placeOf(error, text) {
  const at = error.body?.queryCompileError?.location;
  if (!at) return undefined;
  const before = text.slice(0, at.startCharOffset);
  return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n'), before, part: text.slice(at.startCharOffset, Math.max(at.endCharOffset, at.startCharOffset + 1)) || '⏎', after: text.slice(Math.max(at.endCharOffset, at.startCharOffset + 1)) };
}

export function Insights({ query }) {
  const all = useFunctions();
  const [names, setNames] = useState(query.function ?? '');
  const [range, setRange] = useState(ranges.has(query.range) ? query.range : '1h');
  const [text, setText] = useState(query.query ?? examples[0][1]);
  const [progress, setProgress] = useState();
  const [abort] = useState(() => ({ current: new AbortController() }));
  useEffect(() => () => abort.current.abort(), []);
  const asked = useAction(async () => {
    abort.current.abort();
    abort.current = new AbortController();
    setProgress(undefined);
    const named = names.split(/[\s,]+/).filter(Boolean);
    const groups = named.length ? named.map(groupOf) : await groupsThatAre(abort.current.signal);
    if (!groups.length) return { text, status: 'Complete', results: [], statistics: {} };
    try {
      return { text, ...await run({ groups, text, minutes: ranges.get(range)[1] }, abort.current.signal, setProgress) };
    } catch (error) {
      error.at = placeOf(error, text);
      throw error;
    }
  });
  const submit = (e) => {
    e?.preventDefault();
    const next = { function: names, range, query: text };
    if (to(['insights'], next) !== to(['insights'], place.value.query)) go(['insights'], next);
    asked.run();
  };
  return html`<${Head} title="Logs Insights" />
    <div class="stack">
      <form class="panel" role="search" onSubmit=${submit}><div class="body stack">
        <div class="fields">
          <${Field} label="Functions"><input list="insights-names" placeholder=${`all that have logs, up to ${mostGroups}`} value=${names} onInput=${(e) => setNames(e.target.value)} /><//>
          <${Field} label="Time"><select value=${range} onChange=${(e) => setRange(e.target.value)}>${[...ranges].map(([value, [title]]) => html`<option value=${value}>${title}</option>`)}</select><//>
          <${Field} label="Example"><select value="" onChange=${(e) => { setText(examples[Number(e.target.value)][1]); e.target.value = ''; }}><option value="">Choose a query…</option>${examples.map(([title], n) => html`<option value=${String(n)}>${title}</option>`)}</select><//>
        </div>
        <${Field} label="Query"><textarea rows="5" spellcheck=${false} autocapitalize="off" maxlength="10000" value=${text} onInput=${(e) => setText(e.target.value)} onKeyDown=${(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) submit(e); }}></textarea><//>
        <div class="row"><button class="primary" disabled=${asked.busy}>${asked.busy ? 'Running…' : 'Run query'}</button>
          ${asked.busy ? html`<button type="button" onClick=${() => abort.current.abort()}>Stop</button>` : null}
          <span class="dim small"><span class="keys">Ctrl+Enter · </span><a href="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html" rel="noreferrer" target="_blank">the language</a></span></div>
        <datalist id="insights-names">${all.list.slice(0, 1000).map((f) => html`<option value=${f.FunctionName} />`)}</datalist></div></form>
      <${Refused} error=${asked.error} />
      ${asked.busy ? html`<p class="dim" role="status">${progress ? `${count(progress.statistics.recordsScanned)} lines, ${bytes(progress.statistics.bytesScanned)} read so far` : 'The query runs…'}</p>` : null}
      ${asked.done && asked.done !== true ? html`<${Results} answer=${asked.done} />` : null}
    </div>`;
}

async function groupsThatAre(signal) {
  const found = await logs('DescribeLogGroups', { logGroupNamePrefix: groupOf(''), limit: mostGroups }, signal);
  return found.logGroups.map((group) => group.logGroupName);
}

function Refused({ error }) {
  if (!error || error.name === 'AbortError') return null;
  const { at } = error;
  return html`<div class="notice bad" role="alert"><p>${error.code ? html`<strong>${error.code}: </strong>` : null}${error.message}</p>
    ${at ? html`<p class="small">Line ${at.line}, column ${at.column}:</p><pre>${at.before}<mark>${at.part}</mark>${at.after}</pre>` : null}</div>`;
}

function Results({ answer }) {
  const rows = answer.results;
  const columns = [...new Set(rows.flatMap((row) => row.map((f) => f.field)))].filter((name) => name !== '@ptr');
  const over = byTime(rows, columns);
  const s = answer.statistics;
  return html`${over ? html`<div class="graphs">${over.lines.map((line) => html`<${Graph} key=${line.title} title=${line.title} data=${over} lines=${[{ ...line, kind: '1' }]} format=${count} bars=${/^(count|sum)\b/.test(line.title)} />`)}</div>` : null}
    <${Panel} flush title="Results" actions=${html`<span class="dim small num">${rows.length > mostRows ? `the first ${mostRows} of ${count(rows.length)} rows` : `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}`}, of ${count(s.recordsScanned ?? 0)} lines, ${bytes(s.bytesScanned ?? 0)}</span>${answer.status === 'Complete' ? null : html`<${Badge} kind="warn">${answer.status}<//>`}`}>
      ${rows.length ? html`<div class="scroll" tabindex="0" role="group" aria-label="Results"><table><thead><tr>${columns.map((name) => html`<th>${name}</th>`)}</tr></thead><tbody>${rows.slice(0, mostRows).map((row) => {
        const values = new Map(row.map((f) => [f.field, f.value]));
        return html`<tr>${columns.map((name) => html`<td class=${name === '@timestamp' || /^bin\(/.test(name) ? 'mono nowrap' : 'mono wrap'}>${name === '@requestId' && values.has(name) ? html`<a href=${to(['logs'], { request: values.get(name) })}>${values.get(name)}</a>` : values.get(name)}</td>`)}</tr>`;
      })}</tbody></table></div>` : html`<div class="empty"><p>Nothing was logged then that fits.</p></div>`}<//>`;
}
