// What calls functions: event sources, rules and schedules.
import { html } from '../lib/html.js';
import { json, lambda, own, rest, target } from '../lib/api.js';
import { useAction, useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { ago, date, duration } from '../lib/format.js';
import { Badge, Change, Head, Loaded, Panel, Problem } from '../lib/parts.js';

const nameOf = (arn) => (arn ?? '').split(':function:').pop().replace(/:$/, ''); // a schedule's may have an empty qualifier
const events = (operation, input, signal) => json(target('events', 'AWSEvents', operation, input, signal));

const Place = ({ arn }) => {
  const [name] = nameOf(arn).split(':');
  return html`<a href=${to(['functions', name])}>${nameOf(arn)}</a>`;
};

// Mappings are those of one function, or of all.
export function Mappings({ name }) {
  const loaded = useLoad(async (signal) => {
    const all = [];
    let marker;
    do {
      const page = await lambda('GET', '/2015-03-31/event-source-mappings/', { query: { FunctionName: name, Marker: marker }, signal });
      all.push(...page.EventSourceMappings);
      marker = page.NextMarker;
    } while (marker && all.length < 10000);
    const lags = new Map((await own('GET', 'sources', signal)).sources.map((lag) => [lag.id, lag]));
    return all.map((m) => ({ ...m, lag: lags.get(m.UUID) }));
  }, [name ?? ''], { every: 5000 });
  const set = useAction(async (m, Enabled) => {
    await lambda('PUT', `/2015-03-31/event-source-mappings/${m.UUID}`, { body: { Enabled } });
    loaded.reload();
  });
  return html`<${Panel} flush title="Event sources"><${Problem} error=${set.error} />
    <${Loaded} from=${loaded} empty="No queue or stream is polled.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Event sources"><table><thead><tr><th>Source</th>${name ? null : html`<th>Function</th>`}<th>State</th><th>Last result</th><th class="right">Batch</th><th class="right">Lag</th><th><span class="visually-hidden">Actions</span></th></tr></thead><tbody>${list.map((m) => html`<tr>
      <td class="mono wrap">${m.EventSourceArn ?? m.SelfManagedEventSource?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS?.join(', ') ?? m.UUID}${m.Topics ? ` ${m.Topics.join(', ')}` : ''}</td>
      ${name ? null : html`<td><${Place} arn=${m.FunctionArn} /></td>`}
      <td><${Badge} kind=${m.State === 'Enabled' ? 'good' : m.State === 'Disabled' ? '' : 'warn'}>${m.State}<//></td>
      <td class=${/^PROBLEM|error/i.test(m.LastProcessingResult) ? 'bad wrap' : 'wrap'}>${m.LastProcessingResult}</td><td class="right num">${m.BatchSize}</td>
      <td class="right num nowrap">${m.lag ? `${duration(m.lag.age_ms)} · ${ago(m.lag.at)}` : '–'}</td>
      <td class="right"><${Change}>${m.State === 'Disabled' ? html`<button type="button" class="plain" onClick=${() => set.run(m, true)}>Resume</button>` : html`<button type="button" class="plain" onClick=${() => set.run(m, false)}>Pause</button>`}<//></td></tr>`)}</tbody></table></div>`}<//>
  <//>`;
}

// Schedules are those that run now, of the configuration and of EventBridge Scheduler.
export function Schedules({ name }) {
  const loaded = useLoad(async (signal) => (await own('GET', 'schedules', signal)).schedules.filter((s) => !name || s.function.split(':')[0] === name), [name ?? ''], { every: 5000 });
  return html`<${Panel} flush title="Schedules that run">
    <${Loaded} from=${loaded} empty="No schedule runs.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Schedules that run"><table><thead><tr><th>Schedule</th><th>Expression</th>${name ? null : html`<th>Function</th>`}<th>Next</th></tr></thead><tbody>${list.map((s) => html`<tr>
      <td>${s.name}</td><td class="mono">${s.expression}</td>${name ? null : html`<td><${Place} arn=${s.function} /></td>`}<td class="num nowrap" title=${s.next}>${s.next ? `${ago(s.next)} · ${date(s.next)}` : 'not any more'}</td></tr>`)}</tbody></table></div>`}<//>
  <//>`;
}

function Rules() {
  const loaded = useLoad(async (signal) => (await events('ListRules', {}, signal)).Rules ?? [], [], { every: 10000 });
  const set = useAction(async (rule, on) => {
    await events(on ? 'EnableRule' : 'DisableRule', { Name: rule.Name, EventBusName: rule.EventBusName });
    loaded.reload();
  });
  return html`<${Panel} flush title="Rules of EventBridge"><${Problem} error=${set.error} />
    <${Loaded} from=${loaded} empty="There are no rules.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Rules"><table><thead><tr><th>Rule</th><th>Matches</th><th>State</th><th><span class="visually-hidden">Actions</span></th></tr></thead><tbody>${list.map((r) => html`<tr>
      <td>${r.Name}<br /><span class="dim small">${r.Description}</span></td><td class="mono wrap">${r.ScheduleExpression ?? r.EventPattern}</td><td><${Badge} kind=${r.State === 'ENABLED' ? 'good' : ''}>${r.State}<//></td>
      <td class="right"><${Change}><button type="button" class="plain" onClick=${() => set.run(r, r.State !== 'ENABLED')}>${r.State === 'ENABLED' ? 'Pause' : 'Resume'}</button><//></td></tr>`)}</tbody></table></div>`}<//>
  <//>`;
}

function Scheduler() {
  const loaded = useLoad(async (signal) => (await json(rest('scheduler', 'GET', '/schedules', { signal }))).Schedules ?? [], [], { every: 10000 });
  const set = useAction(async (s) => {
    const path = '/schedules/' + encodeURIComponent(s.Name);
    const { Arn, CreationDate, LastModificationDate, Name, ...all } = await json(rest('scheduler', 'GET', path, { query: { groupName: s.GroupName } }));
    await json(rest('scheduler', 'PUT', path, { body: { ...all, State: s.State === 'ENABLED' ? 'DISABLED' : 'ENABLED' } }));
    loaded.reload();
  });
  return html`<${Panel} flush title="Schedules of EventBridge Scheduler"><${Problem} error=${set.error} />
    <${Loaded} from=${loaded} empty="There are no schedules.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Schedules"><table><thead><tr><th>Schedule</th><th>Target</th><th>State</th><th><span class="visually-hidden">Actions</span></th></tr></thead><tbody>${list.map((s) => html`<tr>
      <td>${s.Name} <span class="dim">${s.GroupName}</span></td><td class="mono wrap">${s.Target?.Arn}</td><td><${Badge} kind=${s.State === 'ENABLED' ? 'good' : ''}>${s.State}<//></td>
      <td class="right"><${Change}><button type="button" class="plain" onClick=${() => set.run(s)}>${s.State === 'ENABLED' ? 'Pause' : 'Resume'}</button><//></td></tr>`)}</tbody></table></div>`}<//>
  <//>`;
}

export const Sources = () => html`<${Head} title="Sources and schedules" /><div class="stack"><${Mappings} /><${Schedules} /><${Rules} /><${Scheduler} /></div>`;

// Triggers are all that calls one function.
export function Triggers({ name }) {
  const policy = useLoad((signal) => lambda('GET', `/2015-03-31/functions/${encodeURIComponent(name)}/policy`, { signal }).then((p) => JSON.parse(p.Policy).Statement, (error) => {
    if (error.status === 404) return [];
    throw error;
  }), [name]);
  const rules = useLoad(async (signal) => {
    const { FunctionArn } = await lambda('GET', `/2015-03-31/functions/${encodeURIComponent(name)}/configuration`, { signal });
    return (await events('ListRuleNamesByTarget', { TargetArn: FunctionArn }, signal)).RuleNames ?? [];
  }, [name]);
  const who = (p) => (typeof p === 'string' ? p : Object.values(p ?? {}).flat().join(', '));
  return html`<${Mappings} name=${name} /><${Schedules} name=${name} />
    <${Panel} title="Rules of EventBridge"><${Loaded} from=${rules} empty="No rule has this function as its target.">${(list) => html`<p>${list.join(', ')}</p>`}<//><//>
    <${Panel} flush title="Who may call it"><${Loaded} from=${policy} empty="Its policy names nobody: callers with rights of their own, and what the configuration routes to it, may call it.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Policy"><table><thead><tr><th>Statement</th><th>Who</th><th>Action</th><th>From</th></tr></thead><tbody>${list.map((s) => html`<tr>
      <td>${s.Sid}</td><td>${who(s.Principal)}</td><td class="mono">${[s.Action].flat().join(', ')}</td><td class="mono wrap">${Object.values(s.Condition ?? {}).flatMap((c) => Object.values(c)).join(', ')}</td></tr>`)}</tbody></table></div>`}<//><//>`;
}
