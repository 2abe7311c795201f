// This node, and the others that share its Redis.
import { html, useState } from '../lib/html.js';
import { own } from '../lib/api.js';
import { useAction, useLoad } from '../lib/load.js';
import { ago, bytes, count, date } from '../lib/format.js';
import { Ask, Badge, Change, Done, Head, Loaded, Panel, Problem } from '../lib/parts.js';

export function Nodes() {
  const nodes = useLoad((signal) => own('GET', 'nodes', signal), [], { every: 3000 });
  const runtimes = useLoad((signal) => own('GET', 'runtimes', signal), []);
  const node = useLoad((signal) => own('GET', 'node', signal), [], { every: 2000 });
  const [asking, setAsking] = useState(false);
  const drain = useAction(async (on) => {
    await own(on ? 'POST' : 'DELETE', 'drain');
    nodes.reload();
    return on ? 'This node drains: it delivers no more events, and polls no sources.' : 'This node works again.';
  });
  const n = node.data ?? {};
  const of = (name, labels = {}) => (n[name] ?? []).filter((s) => Object.entries(labels).every(([k, v]) => s.labels?.[k] === v)).reduce((sum, s) => sum + s.value, 0);
  const per = (name, label) => {
    const sums = new Map();
    for (const s of n[name] ?? []) sums.set(s.labels?.[label] ?? '', (sums.get(s.labels?.[label] ?? '') ?? 0) + s.value);
    return [...sums];
  };
  return html`<${Head} title="Nodes"><${Change}><button type="button" onClick=${() => setAsking(true)}>Drain this node</button><button type="button" onClick=${() => drain.run(false)}>End draining</button><//><//>
    <div class="stack">
      <${Problem} error=${drain.error ?? node.error} />${drain.done ? html`<${Done}>${drain.done}<//>` : null}
      <dl class="tiles">
        ${per('hearth_environments', 'state').sort().map(([state, value]) => html`<div class="tile"><dt>Environments, ${state}</dt><dd>${value}</dd></div>`)}
        <div class="tile"><dt>Stems that are ready</dt><dd>${of('hearth_stems', { state: 'ready' })} <small>${of('hearth_stems', { state: 'booting' })} booting</small></dd></div>
        <div class="tile"><dt>Calls that run</dt><dd>${of('hearth_concurrent_executions')}</dd></div>
        <div class="tile"><dt>Calls that wait</dt><dd>${of('hearth_waiting_invocations')}</dd></div>
        <div class="tile"><dt>Memory of bodies</dt><dd>${bytes(of('hearth_body_memory_bytes'))} <small>of ${bytes(of('hearth_body_memory_limit_bytes'))}</small></dd></div>
        <div class="tile"><dt>Since the start</dt><dd>${count(of('hearth_invocations_total'))} <small>calls, ${count(of('hearth_cold_starts_total'))} cold starts</small></dd></div>
      </dl>
      <${Panel} flush title="Members of the cluster"><${Loaded} from=${{ ...nodes, data: nodes.data?.nodes }} empty="This node is alone: no Redis is configured.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Members"><table><thead><tr><th>Node</th><th>Address</th><th>Started</th><th>State</th></tr></thead><tbody>${list.map((m) => html`<tr>
        <td>${m.Name} ${m.Name === nodes.data.self ? html`<${Badge} kind="accent">this one<//>` : null}</td><td class="mono">${m.Address}</td><td title=${date(m.Started)}>${ago(m.Started)}</td><td>${m.Draining ? html`<${Badge} kind="warn">draining<//>` : html`<${Badge} kind="good">serving<//>`}</td></tr>`)}</tbody></table></div>`}<//><//>
      <${Doctor} />
      <${Panel} flush title="Runtimes"><${Loaded} from=${runtimes}>${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Runtimes"><table><thead><tr><th>Runtime</th><th>Served by</th><th>SDK</th><th>Missing</th></tr></thead><tbody>${list.map((r) => html`<tr>
        <td class="nowrap">${r.runtime}</td><td>${r.program ? html`${r.program} ${r.nearest ? html`<${Badge} kind="warn">nearest<//>` : null}` : html`<span class="dim">nothing</span>`}</td><td>${r.sdk}</td><td class="wrap">${r.missing}${r.install ? html` <code>${r.install}</code>` : null}</td></tr>`)}</tbody></table></div>`}<//><//>
    </div>
    ${asking ? html`<${Ask} title="Drain this node?" text="It takes no calls of other nodes, delivers no more events and polls no sources, until you end it. Requests to it are still answered." verb="Drain" onYes=${() => drain.run(true)} onNo=${() => setAsking(false)} />` : null}`;
}

function Doctor() {
  const look = useAction(() => own('GET', 'doctor'));
  const kind = { ok: 'good', weaker: 'warn', missing: 'bad' };
  return html`<${Panel} flush title="Doctor" actions=${html`<button type="button" disabled=${look.busy} onClick=${() => look.run()}>${look.busy ? 'Looking…' : 'Examine this machine'}</button>`}>
    <${Problem} error=${look.error} />
    ${look.done ? html`<div class="scroll" tabindex="0" role="group" aria-label="Findings"><table><thead><tr><th>What</th><th>State</th><th>Finding</th></tr></thead><tbody>${look.done.map((f) => html`<tr><td>${f.name}</td><td><${Badge} kind=${kind[f.state]}>${f.state}<//></td><td class="wrap">${f.text}${f.remedy ? html`<br /><code>${f.remedy}</code>` : null}</td></tr>`)}</tbody></table></div>`
      : html`<div class="empty"><p>It looks at the kernel, the sandbox, limits and runtimes, as <code>caddy hearth doctor</code> does. It starts one trial environment.</p></div>`}
  <//>`;
}
