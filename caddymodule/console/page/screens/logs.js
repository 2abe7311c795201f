// Logs of functions: live, or of a time.
import { html, useEffect, useState } from '../lib/html.js';
import { logs } from '../lib/api.js';
import { useLoad } from '../lib/load.js';
import { useFunctions } from '../lib/functions.js';
import { go, place } from '../lib/route.js';
import { date } from '../lib/format.js';
import { groupOf, Lines, TailState, useTail } from '../lib/logview.js';
import { Badge, Field, Head, Panel, Problem } from '../lib/parts.js';

const mostGroups = 10; // of StartLiveTail
const mostLines = 2000;

const ranges = { live: 'Live', '15m': 'Last 15 minutes', '1h': 'Last hour', '24h': 'Last day', '168h': 'Last 7 days' };
const lengthOf = (range) => (range.endsWith('m') ? 60000 : 3600000) * parseInt(range, 10);

export function Logs({ query }) {
  const all = useFunctions();
  const names = (query.function ?? '').split(/[\s,]+/).filter(Boolean);
  const groups = (names.length ? names : all.list.map((f) => f.FunctionName)).slice(0, mostGroups).map(groupOf);
  const asked = Object.hasOwn(ranges, query.range ?? '') ? query.range : query.request ? '168h' : 'live';
  const range = query.start ? 'time' : asked;
  const show = (change) => go(['logs'], { ...place.value.query, ...change });
  const [draft, setDraft] = useState({ function: query.function ?? '', pattern: query.pattern ?? '' });
  useEffect(() => setDraft({ function: query.function ?? '', pattern: query.pattern ?? '' }), [query.function, query.pattern]);
  const more = !names.length && all.list.length > mostGroups;
  return html`<${Head} title="Logs" />
    <div class="stack">
      <form class="panel" role="search" onSubmit=${(e) => { e.preventDefault(); show({ ...draft, start: '', end: '' }); }}><div class="body"><div class="fields">
        <${Field} label="Functions"><input list="function-names" placeholder="all, or names" value=${draft.function} onInput=${(e) => setDraft({ ...draft, function: e.target.value })} /><//>
        <${Field} label="Filter pattern"><input class="mono" placeholder='ERROR, "two words", { $.level = "WARN" }' spellcheck=${false} value=${draft.pattern} onInput=${(e) => setDraft({ ...draft, pattern: e.target.value })} /><//>
        <${Field} label="Time"><select value=${range} onChange=${(e) => show({ ...draft, range: e.target.value, start: '', end: '', request: e.target.value === 'live' ? '' : query.request })}>${Object.entries(ranges).map(([value, title]) => html`<option value=${value}>${title}</option>`)}${range === 'time' ? html`<option value="time">${date(Number(query.start))} …</option>` : null}</select><//>
      </div><div class="row gap"><button class="primary">Show</button>
        ${query.request ? html`<${Badge} kind="accent">request ${query.request}<//><button type="button" class="plain" onClick=${() => show({ request: '', range: query.range })}>All requests</button>` : null}
        ${more ? html`<span class="dim small">Of ${all.list.length} functions the first ${mostGroups} are shown. Name those that you mean.</span>` : null}</div>
        <datalist id="function-names">${all.list.slice(0, 1000).map((f) => html`<option value=${f.FunctionName} />`)}</datalist></div></form>
      ${groups.length === 0 ? html`<div class="empty">${all.complete ? 'There are no functions yet.' : 'Loading…'}</div>`
        : range === 'live' ? html`<${Live} groups=${groups} pattern=${query.pattern ?? ''} onRequest=${(id) => show({ request: id })} />`
          : html`<${Past} groups=${groups} query=${query} range=${range} onRequest=${(id) => show({ request: id })} onLater=${(start, end) => show({ start: String(start), end: String(end) })} />`}
    </div>`;
}

function Live({ groups, pattern, onRequest }) {
  const [paused, setPaused] = useState(false);
  const tail = useTail(groups, pattern, paused);
  return html`<${Panel} flush title="Live" actions=${html`<${TailState} state=${tail.state} paused=${paused} /><button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? 'Resume' : 'Pause'}</button><button type="button" onClick=${tail.clear}>Clear</button>`}>
    <${Problem} error=${tail.error} /><${Lines} events=${tail.events} named=${groups.length > 1} label="Live log" onRequest=${onRequest} empty="Nothing was logged in the last five minutes. New lines come here." /><//>`;
}

// A request's lines have its ID, and those that lack it are between START and END of its stream.
function ofRequest(events, id) {
  const inside = new Set();
  return events.filter((event) => {
    const own = event.message.includes(id);
    if (own && /^START |platform\.start/.test(event.message)) inside.add(event.logStreamName);
    const mine = own || inside.has(event.logStreamName);
    if (own && /^REPORT |platform\.report/.test(event.message)) inside.delete(event.logStreamName);
    return mine;
  });
}

// nextAfter is when the next lines begin. Lines of the last millisecond may follow, so it is read again.
function nextAfter(shown) {
  const last = shown.at(-1).timestamp;
  return last > shown[0].timestamp ? last : last + 1;
}

function Past({ groups, query, range, onRequest, onLater }) {
  const loaded = useLoad(async (signal) => {
    const endTime = query.end ? Number(query.end) : Date.now();
    const startTime = query.start ? Number(query.start) : endTime - lengthOf(range);
    const found = await Promise.all(groups.map((group) => ofGroup(group, startTime, endTime, query, signal)));
    const events = found.flatMap((part) => part.events).sort((a, b) => a.timestamp - b.timestamp);
    // A group whose lines were not all read has none after its last one here: what others have later would mislead.
    const until = Math.min(...found.filter((part) => part.more && part.events.length).map((part) => part.events.at(-1).timestamp));
    const sure = events.filter((event) => event.timestamp <= until);
    const shown = sure.slice(0, mostLines).map((event, key) => ({ ...event, key }));
    const more = shown.length < events.length || until !== Infinity;
    return { events: shown, next: more ? nextAfter(shown) : undefined, endTime };
  }, [groups.join(), query.pattern ?? '', query.request ?? '', range, query.start ?? '', query.end ?? '']);
  return html`<${Panel} flush title=${query.request ? 'One request' : 'Lines'} actions=${html`<span class="dim small num">${loaded.data ? `${loaded.data.events.length} lines` : ''}</span>${loaded.data?.next ? html`<button type="button" onClick=${() => onLater(loaded.data.next, loaded.data.endTime)}>Later lines</button>` : null}<button type="button" onClick=${loaded.reload}>Reload</button>`}>
    ${loaded.data?.next ? html`<p class="notice">These are the first lines of the time. Name fewer functions, a pattern or a shorter time, or go on to later ones.</p>` : null}
    <${Problem} error=${loaded.error} /><${Lines} events=${loaded.data?.events ?? []} top=${Boolean(loaded.data?.next)} named=${groups.length > 1} label="Log" onRequest=${onRequest} empty=${loaded.loading ? 'Loading…' : 'Nothing was logged then that fits.'} /><//>`;
}

async function ofGroup(logGroupName, startTime, endTime, query, signal) {
  const from = logGroupName.replace(/^\/aws\/lambda\//, '');
  const read = async (input) => {
    const events = [];
    let nextToken;
    do {
      let page;
      try {
        page = await logs('FilterLogEvents', { logGroupName, startTime, endTime, nextToken, ...input }, signal);
      } catch (error) {
        if (error.code === 'ResourceNotFoundException') return { events, more: false };
        throw error;
      }
      events.push(...page.events);
      nextToken = page.nextToken;
    } while (nextToken && events.length < mostLines);
    return { events: events.map((event) => ({ ...event, from })), more: Boolean(nextToken) && events.length > 0 };
  };
  if (!query.request) return read({ filterPattern: query.pattern || undefined });
  const own = await read({ filterPattern: `"${query.request.replace(/["\\]/g, '')}"` });
  if (!own.events.length) return own;
  // Its other lines are in the same streams, between its first and its last.
  const times = own.events.map((event) => event.timestamp);
  startTime = Math.min(...times);
  endTime = Math.max(...times) + 1;
  const all = await read({ logStreamNames: [...new Set(own.events.map((event) => event.logStreamName))].slice(0, 100) });
  return { ...all, events: ofRequest(all.events, query.request) };
}
