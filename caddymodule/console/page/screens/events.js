// Events that wait, are retried, or are dead.
import { html, useState } from '../lib/html.js';
import { own } from '../lib/api.js';
import { useAction, useLoad } from '../lib/load.js';
import { go, to } from '../lib/route.js';
import { ago, bytes, date, pretty } from '../lib/format.js';
import { Ask, Badge, Change, Done, Head, Loaded, Panel, Problem } from '../lib/parts.js';

const path = (to, query) => to + '?' + new URLSearchParams(Object.entries(query).filter(([, value]) => value));

export function Events({ query }) {
  const dead = query.dead !== 'false';
  const name = query.function ?? '';
  const [after, setAfter] = useState(['']);
  const [open, setOpen] = useState();
  const [asking, setAsking] = useState();
  const counts = useLoad((signal) => own('GET', 'events', signal), [], { every: 3000 });
  const page = useLoad((signal) => own('GET', path('events/list', { function: name, dead: String(dead), after: after.at(-1), limit: '50' }), signal), [name, dead, after.join()], { every: 3000 });
  const act = useAction(async (verb, what) => {
    const done = verb === 'replay' ? await own('POST', path('events/replay', what)) : await own('DELETE', path('events', what));
    setOpen(undefined);
    page.reload();
    counts.reload();
    return `${done.events} ${done.events === 1 ? 'event' : 'events'} ${verb === 'replay' ? 'wait for delivery again' : 'removed'}.`;
  });
  const sum = (field) => (counts.data ?? []).reduce((n, c) => n + c[field], 0);
  const show = (change) => { setAfter(['']); setOpen(undefined); act.clear(); go(['events'], { function: name, dead: String(dead), ...change }); };
  return html`<${Head} title="Events" />
    <div class="stack">
      <dl class="tiles">
        <div class="tile"><dt>Waiting</dt><dd>${sum('waiting')}</dd></div><div class="tile"><dt>Being delivered</dt><dd>${sum('running')}</dd></div><div class="tile"><dt>Dead</dt><dd class=${sum('dead') ? 'bad' : ''}>${sum('dead')}</dd></div>
      </dl>
      <${Problem} error=${act.error ?? counts.error} />${act.done ? html`<${Done}>${act.done}<//>` : null}
      <${Panel} flush title=${dead ? 'Dead events' : 'Events that wait'} actions=${html`
          <select aria-label="Which events" value=${String(dead)} onChange=${(e) => show({ dead: e.target.value })}><option value="true">Dead</option><option value="false">Waiting and retrying</option></select>
          <select aria-label="Function" value=${name} onChange=${(e) => show({ function: e.target.value })}><option value="">All functions</option>${[...new Set([name, ...(counts.data ?? []).map((c) => c.function)])].filter(Boolean).map((one) => html`<option>${one}</option>`)}</select>
          ${dead ? html`<${Change}><button type="button" disabled=${!page.data?.events?.length || act.busy} onClick=${() => setAsking('replay')}>Replay all</button><button type="button" class="danger" disabled=${!page.data?.events?.length || act.busy} onClick=${() => setAsking('purge')}>Purge all</button><//>` : null}`}
        foot=${after.length > 1 || page.data?.next ? html`<button type="button" disabled=${after.length < 2} onClick=${() => setAfter(after.slice(0, -1))}>Previous</button><button type="button" disabled=${!page.data?.next} onClick=${() => setAfter([...after, page.data.next])}>Next</button>` : null}>
        <${Loaded} from=${{ ...page, data: page.data?.events ?? (page.data ? [] : undefined) }} empty=${dead ? 'No event is dead: each was delivered, or is tried again.' : 'No event waits.'}>${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Events"><table>
          <thead><tr><th>Function</th><th>Source</th><th>Accepted</th><th class="right">Tries</th><th>${dead ? 'Why' : 'Next try'}</th><th class="right">Size</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>${list.map((e) => html`<tr key=${e.id}>
            <td><a href=${to(['functions', e.function])}>${e.function}</a><span class="dim">${e.qualifier && e.qualifier !== '$LATEST' ? ':' + e.qualifier : ''}</span></td>
            <td>${e.source}<br /><span class="dim small wrap">${e.subject}</span></td><td class="nowrap num" title=${date(e.accepted)}>${ago(e.accepted)}</td><td class="right num">${e.attempts}</td>
            <td class="wrap">${dead ? html`<${Badge} kind="bad">${e.condition}<//> ` : html`<span class="nowrap">${ago(e.due)}</span> `}<span class="small">${e.error}</span></td><td class="right num nowrap">${bytes(e.size)}</td>
            <td class="right nowrap"><button type="button" class="plain" aria-expanded=${open === e.id} onClick=${() => setOpen(open === e.id ? undefined : e.id)}>${open === e.id ? 'Hide' : 'Show'}</button>
              <${Change}>${dead ? html`<button type="button" class="plain" onClick=${() => act.run('replay', { id: e.id })}>Replay</button>` : null}<button type="button" class="plain danger" onClick=${() => act.run('purge', { id: e.id })}>Purge</button><//></td></tr>
            ${open === e.id ? html`<tr><td colspan="7"><${One} id=${e.id} /></td></tr>` : null}`)}</tbody></table></div>`}<//>
      <//>
    </div>
    ${asking ? html`<${Ask} title=${`${asking === 'replay' ? 'Replay' : 'Purge'} all dead events${name ? ` of ${name}` : ''}?`} text=${asking === 'replay' ? 'Each is delivered again, as if it had just come.' : 'They are gone then.'} verb=${asking === 'replay' ? 'Replay' : 'Purge'}
      onYes=${() => act.run(asking, asking === 'replay' ? { function: name } : { function: name, dead: 'true' })} onNo=${() => setAsking(undefined)} />` : null}`;
}

function One({ id }) {
  const loaded = useLoad((signal) => own('GET', path('events/show', { id }), signal), [id]);
  return html`<${Loaded} from=${loaded}>${(e) => html`<div class="tight"><dl class="facts"><dt>Request ID</dt><dd><a class="mono" href=${to(['logs'], { function: e.function, request: e.request_id })}>${e.request_id}</a></dd>
    ${e.error ? html`<dt>Last error</dt><dd>${e.error}</dd>` : null}</dl><pre class="notice" tabindex="0" aria-label="Payload">${pretty(JSON.stringify(e.payload ?? null)).slice(0, 200000)}</pre></div>`}<//>`;
}
