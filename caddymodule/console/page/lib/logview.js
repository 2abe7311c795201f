// Lines of logs, readable.
import { html, useCallback, useEffect, useLayoutEffect, useRef, useState } from './html.js';
import { follow } from './tail.js';
import { Badge, Problem } from './parts.js';
import { millis } from './format.js';

const most = 2000; // lines that the page keeps
const showEvery = 30; // ms between two times that new lines are shown

export const groupOf = (name) => '/aws/lambda/' + name;

const platform = /^(START|END|REPORT|INIT_START|EXTENSION|TELEMETRY|XRAY) ?/;
const requestID = /RequestId: ([0-9a-f-]{36})/;
const failed = /\b(ERROR|Error|FATAL|Task timed out|Exception)\b/;

// describe is how a line is shown: its level, its text, what else a JSON line has, and the ID of
// its request.
export function describe(message) {
  const text = message.replace(/\n$/, '');
  if (text.startsWith('{')) {
    try {
      const line = JSON.parse(text);
      const { timestamp, level, message: said, msg, requestId, function_request_id: own, ...rest } = line;
      const id = requestId ?? own ?? line.record?.requestId;
      const first = said ?? msg ?? '';
      return {
        level: level === undefined ? '' : String(level).toUpperCase(), text: typeof first === 'string' ? first : JSON.stringify(first), rest: Object.entries(rest),
        request: typeof id === 'string' ? id : '', platform: typeof line.type === 'string' && line.type.startsWith('platform.'), failed: /^(error|fatal|critical)$/i.test(String(level)),
      };
    } catch {
      // no JSON: text
    }
  }
  // Lambda's text format of Node: time, request ID, level and text, with tabs between.
  const parts = text.split('\t');
  if (parts.length >= 4 && /^\d{4}-\d\d-\d\dT/.test(parts[0])) {
    return { level: parts[2], text: parts.slice(3).join('\t'), rest: [], request: /^[0-9a-f-]{36}$/.test(parts[1]) ? parts[1] : '', platform: false, failed: /ERROR|FATAL/.test(parts[2]) };
  }
  const is = platform.test(text);
  return { level: '', text, rest: [], request: requestID.exec(text)?.[1] ?? '', platform: is, failed: !is && failed.test(text) };
}

const value = (any) => (typeof any === 'string' ? any : JSON.stringify(any));

const levelKind = (level) => (/ERROR|FATAL|CRITICAL/.test(level) ? 'bad' : /WARN/.test(level) ? 'warn' : '');

export function Line({ event, named, onRequest }) {
  const d = describe(event.message);
  const id = d.request;
  const at = d.platform && id && onRequest ? d.text.indexOf(id) : -1;
  const text = at >= 0
    ? html`${d.text.slice(0, at)}<button type="button" class="plain" title="Only this request's lines" onClick=${() => onRequest(id)}>${id}</button>${d.text.slice(at + id.length)}`
    : d.text;
  return html`<div class=${'log-line' + (named ? ' named' : '') + (d.platform ? ' platform' : '') + (d.failed ? ' failed' : '')}>
    <time datetime=${new Date(event.timestamp).toISOString()} title=${new Date(event.timestamp).toISOString()}>${millis(event.timestamp)}</time>
    ${named ? html`<span class="from dim">${event.from}</span>` : null}
    <span class="text">${d.level && d.level !== 'INFO' ? html`<span class=${'level ' + levelKind(d.level)}>${d.level} </span>` : null}${text}${d.rest.map(([key, any]) => html` <span class="key">${key}=</span>${value(any)}`)}</span>
  </div>`;
}

// Lines shows events, and stays at the end while the reader does; those of top begin at their first.
export function Lines({ events, named, onRequest, label, short, empty, top = false }) {
  const box = useRef();
  const end = useRef(true);
  // What was drawn of a line is drawn once: of thousands, few are new.
  const pick = useRef();
  pick.current = onRequest;
  const stable = useCallback((id) => pick.current(id), []);
  const drawn = useRef(new WeakMap());
  const line = (event) => {
    let one = drawn.current.get(event);
    if (!one || one.named !== named) drawn.current.set(event, one = { named, line: html`<${Line} key=${event.key} event=${event} named=${named} onRequest=${onRequest && stable} />` });
    return one.line;
  };
  useLayoutEffect(() => {
    if (top) box.current.scrollTop = 0;
    else if (end.current) box.current.scrollTop = box.current.scrollHeight;
  }, [events]);
  return html`<div class=${'log' + (short ? ' short' : '')} ref=${box} tabindex="0" role="log" aria-live="off" aria-label=${label}
      onScroll=${(e) => { end.current = e.target.scrollHeight - e.target.scrollTop - e.target.clientHeight < 30; }}>
    ${events.length ? events.map(line) : html`<div class="empty">${empty}</div>`}
  </div>`;
}

let keys = 0;

// useTail is what groups log from now on.
export function useTail(groups, pattern, paused) {
  const [events, setEvents] = useState([]);
  const [state, setState] = useState('waiting');
  const [error, setError] = useState();
  useEffect(() => {
    if (paused || groups.length === 0) return undefined;
    const abort = new AbortController();
    setError(undefined);
    let waiting = [];
    let timer;
    let shown = 0;
    const show = () => {
      timer = undefined;
      shown = performance.now();
      const more = waiting;
      waiting = [];
      setEvents((before) => [...before, ...more].slice(-most));
    };
    follow({
      groups, pattern, signal: abort.signal, onState: setState,
      onEvents(more) {
        for (const event of more) {
          event.key = keys++;
          event.from = event.logGroupIdentifier.split(':').pop().replace(/^\/aws\/lambda\//, '');
        }
        waiting = [...waiting, ...more].slice(-most);
        timer ??= setTimeout(show, Math.max(0, shown + showEvery - performance.now()));
      },
    }).catch((problem) => { if (!abort.signal.aborted) setError(problem); });
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [groups.join('\n'), pattern, paused]);
  return { events, state, error, clear: () => setEvents([]) };
}

export const TailState = ({ state, paused }) => {
  if (paused) return html`<${Badge}>paused<//>`;
  if (state === 'on') return html`<${Badge} kind="good">live<//>`;
  return html`<${Badge} kind="warn">${state === 'away' ? 'connecting…' : 'no log group yet'}<//>`;
};

// Tail is a panel with what one function logs from now on.
export function Tail({ name, short = true, onRequest }) {
  const [paused, setPaused] = useState(false);
  const tail = useTail([groupOf(name)], '', paused);
  return html`<section class="panel" aria-label="Live log">
    <header><h2>Live log</h2><span class="grow"><${TailState} state=${tail.state} paused=${paused} /></span>
      <button type="button" class="plain" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? 'Resume' : 'Pause'}</button>
      <button type="button" class="plain" onClick=${tail.clear}>Clear</button></header>
    <${Problem} error=${tail.error} />
    <${Lines} events=${tail.events} label=${'Live log of ' + name} short=${short} onRequest=${onRequest} empty="Nothing was logged in the last five minutes. What the function logs from now on comes here." />
  </section>`;
}
