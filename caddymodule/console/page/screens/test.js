// A test of a function: an event, what the function answers, and its log.
import { html, useState } from '../lib/html.js';
import { rest, samples, name as inPath } from '../lib/api.js';
import { useAction, useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { bytes, pretty } from '../lib/format.js';
import { savedEvents, saveEvent } from '../lib/saved.js';
import { Badge, Panel, Problem, useReadOnly } from '../lib/parts.js';
import { Tail } from '../lib/logview.js';

const hello = JSON.stringify({ key1: 'value1', key2: 'value2' }, null, 2);

// invoke calls a function and reads what it says about the call.
async function invoke(name, event, qualifier) {
  const begun = performance.now();
  const response = await rest('lambda', 'POST', `/2015-03-31/functions/${inPath(name)}/invocations`, {
    query: { Qualifier: qualifier }, body: event, headers: { 'X-Amz-Invocation-Type': 'RequestResponse', 'X-Amz-Log-Type': 'Tail' },
  });
  const payload = await response.text();
  const tail = response.headers.get('X-Amz-Log-Result');
  const log = tail ? new TextDecoder().decode(Uint8Array.from(atob(tail), (c) => c.charCodeAt(0))) : '';
  return {
    payload, log, took: performance.now() - begun, failed: response.headers.get('X-Amz-Function-Error'), version: response.headers.get('X-Amz-Executed-Version'),
    request: response.headers.get('X-Amzn-Requestid'), report: report(log),
  };
}

// report is what the REPORT line of a log says, in text or in JSON.
function report(log) {
  const read = (label) => new RegExp(label + ': ([0-9.]+ (?:ms|MB))').exec(log)?.[1];
  const json = /^\{.*"platform\.report".*$/m.exec(log)?.[0];
  if (json) {
    try {
      const m = JSON.parse(json).record.metrics;
      return { duration: m.durationMs + ' ms', billed: m.billedDurationMs + ' ms', memory: m.maxMemoryUsedMB + ' MB', size: m.memorySizeMB + ' MB', init: m.initDurationMs && m.initDurationMs + ' ms' };
    } catch {
      return {};
    }
  }
  return { duration: read('[^d] ?Duration') ?? read('Duration'), billed: read('Billed Duration'), memory: read('Max Memory Used'), size: read('Memory Size'), init: read('Init Duration') };
}

export function Test({ name, f, query }) {
  const [saved, setSaved] = useState(() => savedEvents(name));
  const [event, setEvent] = useState(() => [...savedEvents(name).values()][0] ?? hello);
  const [picked, setPicked] = useState(() => (savedEvents(name).size ? 'saved:' + [...savedEvents(name).keys()][0] : ''));
  const [title, setTitle] = useState('');
  const [wrong, setWrong] = useState('');
  const catalogue = useLoad(() => samples(), []);
  const test = useAction(() => invoke(name, event, query.qualifier));
  const readOnly = useReadOnly();

  function pick(value) {
    setPicked(value);
    if (value.startsWith('saved:')) setEvent(saved.get(value.slice(6)));
    const sample = catalogue.data?.[Number(value.slice(7))];
    if (value.startsWith('sample:') && sample) setEvent(JSON.stringify(sample.event, null, 2));
  }
  function run() {
    try {
      JSON.parse(event);
    } catch (error) {
      setWrong('The event is not JSON: ' + error.message);
      return;
    }
    setWrong('');
    test.run();
  }
  function save(e) {
    e.preventDefault();
    setSaved(saveEvent(name, title, event));
    setPicked('saved:' + title);
    setTitle('');
  }
  const isSaved = picked.startsWith('saved:');
  return html`<div class="split">
    <${Panel} title="Event" actions=${html`
      <select aria-label="Event" value=${picked} onChange=${(e) => pick(e.target.value)}>
        <option value="">Choose an event…</option>
        ${saved.size ? html`<optgroup label="Saved in this browser">${[...saved.keys()].map((key) => html`<option value=${'saved:' + key}>${key}</option>`)}</optgroup>` : null}
        <optgroup label="Samples">${(catalogue.data ?? []).map((s, n) => html`<option value=${'sample:' + n}>${s.source} ${s.kind}</option>`)}</optgroup>
      </select>
      ${isSaved ? html`<button type="button" class="plain" onClick=${() => { setSaved(saveEvent(name, picked.slice(6))); setPicked(''); }}>Forget</button>` : null}`}
      foot=${readOnly ? html`<span class="dim">A read-only key cannot invoke functions.</span>` : html`
        <button type="button" class="primary" disabled=${test.busy} onClick=${run}>${test.busy ? 'Running…' : 'Test'}</button>
        <span class="dim small grow keys">Ctrl+Enter${query.qualifier ? html` · qualifier <code>${query.qualifier}</code>` : null}</span>
        <form class="row" onSubmit=${save}><input aria-label="Name of the event" placeholder="Name" required maxlength="60" size="12" value=${title} onInput=${(e) => setTitle(e.target.value)} /><button>Save event</button></form>`}>
      <div class="tight"><textarea aria-label="Event as JSON" rows="14" spellcheck=${false} value=${event} onInput=${(e) => setEvent(e.target.value)}
        onKeyDown=${(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && !readOnly && !test.busy) run(); }}></textarea>
      ${wrong ? html`<p class="notice bad" role="alert">${wrong}</p>` : null}</div>
    <//>
    <${Result} name=${name} test=${test} f=${f} />
  </div>
  <${Tail} name=${name} onRequest=${(id) => { location.hash = to(['logs'], { function: name, request: id }); }} />`;
}

function Result({ name, test, f }) {
  const r = test.done;
  return html`<${Panel} title="Result" actions=${r && r !== true ? (r.failed ? html`<${Badge} kind="bad">Failed: ${r.failed}<//>` : html`<${Badge} kind="good">Succeeded<//>`) : null}>
    <div class="stack" aria-live="polite">
      <${Problem} error=${test.error} />
      ${test.busy ? html`<p class="dim" role="status">The function runs…</p>` : null}
      ${!r && !test.error && !test.busy ? html`<p class="dim">What the function answers is here after a test.</p>` : null}
      ${r ? html`
        <dl class="facts num">
          <dt>Duration</dt><dd>${r.report.duration ?? '–'} <span class="dim">billed ${r.report.billed ?? '–'}${r.report.init ? `, init ${r.report.init}` : ''}</span></dd>
          <dt>Memory</dt><dd>${r.report.memory ?? '–'} <span class="dim">of ${r.report.size ?? f.MemorySize + ' MB'}</span></dd>
          <dt>Version</dt><dd>${r.version ?? '–'}</dd>
          <dt>Request ID</dt><dd><a class="mono" href=${to(['logs'], { function: name, request: r.request })}>${r.request}</a></dd>
        </dl>
        <div class="tight"><h3>Answer <span class="dim small">${bytes(new Blob([r.payload]).size)}</span></h3><pre class="notice answer" tabindex="0" aria-label="Answer">${pretty(r.payload).slice(0, 200000) || '(empty)'}</pre></div>
        ${r.log ? html`<div class="tight"><h3>Log tail</h3><pre class="notice logtail" tabindex="0" aria-label="Log tail">${r.log}</pre></div>` : null}` : null}
    </div>
  <//>`;
}
