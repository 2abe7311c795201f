// The configuration of a function, with AWS's limits.
import { html, useRef, useState } from '../lib/html.js';
import { lambda, name as inPath } from '../lib/api.js';
import { useAction, useLoad } from '../lib/load.js';
import { bytes } from '../lib/format.js';
import { settled } from '../lib/settled.js';
import { Ask, Change, Done, Field, Loaded, Panel, Problem, useReadOnly } from '../lib/parts.js';

const base = (name) => `/2015-03-31/functions/${inPath(name)}`;

export function Configuration({ name, f, reload }) {
  // Of the function as the forms show it: a change by somebody else in between is not overwritten.
  const revision = useRef(f.RevisionId);
  return html`<${General} name=${name} f=${f} revision=${revision} reload=${reload} />
    <${Variables} name=${name} f=${f} revision=${revision} reload=${reload} />
    <div class="split"><${Concurrency} name=${name} /><${Address} name=${name} /></div>
    <${Facts} f=${f} />`;
}

// change updates the configuration, if nobody else has since.
async function change(name, revision, body) {
  await lambda('PUT', base(name) + '/configuration', { body: { ...body, RevisionId: revision.current } });
  revision.current = (await settled(name)).RevisionId;
}

function General({ name, f, revision, reload }) {
  const [v, setV] = useState({ Description: f.Description ?? '', Handler: f.Handler ?? '', Runtime: f.Runtime ?? '', MemorySize: f.MemorySize, Timeout: f.Timeout, Storage: f.EphemeralStorage?.Size ?? 512, Role: f.Role ?? '' });
  const readOnly = useReadOnly();
  const save = useAction(async () => {
    await change(name, revision, { Description: v.Description, Handler: v.Handler, Runtime: v.Runtime, MemorySize: Number(v.MemorySize), Timeout: Number(v.Timeout), EphemeralStorage: { Size: Number(v.Storage) }, Role: v.Role });
    reload();
  });
  const text = (field, more) => html`<input value=${v[field]} disabled=${readOnly} onInput=${(e) => setV({ ...v, [field]: e.target.value })} ...${more} />`;
  const number = (field, min, max) => text(field, { type: 'number', min, max, step: 1, required: true });
  return html`<form onSubmit=${(e) => { e.preventDefault(); save.run(); }}><${Panel} title="General" foot=${html`<${Change}><button class="primary" disabled=${save.busy}>${save.busy ? 'Saving…' : 'Save'}</button><//>
      <div class="grow"><${Problem} error=${save.error} />${save.done ? html`<${Done}>The configuration is saved.<//>` : null}</div>`}>
    <div class="fields">
      <${Field} label="Memory, MB" hint="128 to 10,240">${number('MemorySize', 128, 10240)}<//>
      <${Field} label="Timeout, s" hint="1 to 900">${number('Timeout', 1, 900)}<//>
      <${Field} label="/tmp, MB" hint="512 to 10,240">${number('Storage', 512, 10240)}<//>
      <${Field} label="Runtime">${text('Runtime', { required: true, spellcheck: false })}<//>
      <${Field} label="Handler">${text('Handler', { required: true, maxlength: 128, spellcheck: false })}<//>
      <${Field} label="Role">${text('Role', { required: true, spellcheck: false })}<//>
      <${Field} label="Description">${text('Description', { maxlength: 256 })}<//>
    </div>
  <//></form>`;
}

function Variables({ name, f, revision, reload }) {
  const [rows, setRows] = useState(() => Object.entries(f.Environment?.Variables ?? {}));
  const readOnly = useReadOnly();
  const save = useAction(async () => {
    await change(name, revision, { Environment: { Variables: Object.fromEntries(rows.filter(([key]) => key)) } });
    reload();
  });
  const set = (n, column, value) => setRows(rows.map((row, at) => (at === n ? (column ? [row[0], value] : [value, row[1]]) : row)));
  return html`<form onSubmit=${(e) => { e.preventDefault(); save.run(); }}><${Panel} title="Environment variables" foot=${readOnly ? null : html`
      <button class="primary" disabled=${save.busy}>${save.busy ? 'Saving…' : 'Save'}</button>
      <button type="button" onClick=${() => setRows([...rows, ['', '']])}>Add a variable</button>
      <div class="grow"><${Problem} error=${save.error} />${save.done ? html`<${Done}>The variables are saved.<//>` : null}</div>`}>
    ${f.Environment?.Error ? html`<p class="notice bad">${f.Environment.Error.Message}</p>` : null}
    <div class="tight">${rows.length ? rows.map(([key, value], n) => html`<div class="pair">
        <input class="mono" aria-label=${`Name of variable ${n + 1}`} placeholder="NAME" pattern="[a-zA-Z][a-zA-Z0-9_]+" title="a letter, then letters, digits and _" value=${key} disabled=${readOnly} onInput=${(e) => set(n, 0, e.target.value)} />
        <input class="mono" aria-label=${`Value of ${key || 'variable ' + (n + 1)}`} placeholder="value" value=${value} disabled=${readOnly} onInput=${(e) => set(n, 1, e.target.value)} />
        <${Change}><button type="button" class="plain danger" aria-label=${'Remove ' + (key || 'the variable')} onClick=${() => setRows(rows.filter((_, at) => at !== n))}>Remove</button><//></div>`) : html`<p class="dim">There are none.</p>`}
    </div>
  <//></form>`;
}

function Concurrency({ name }) {
  const loaded = useLoad((signal) => lambda('GET', `/2019-09-30/functions/${inPath(name)}/concurrency`, { signal }), [name]);
  const [value, setValue] = useState();
  const reserved = loaded.data?.ReservedConcurrentExecutions;
  const set = useAction(async (n) => {
    if (n === '') await lambda('DELETE', `/2017-10-31/functions/${inPath(name)}/concurrency`);
    else await lambda('PUT', `/2017-10-31/functions/${inPath(name)}/concurrency`, { body: { ReservedConcurrentExecutions: Number(n) } });
    setValue(undefined);
    loaded.reload();
  });
  return html`<${Panel} title="Reserved concurrency"><div class="tight">
    <${Loaded} from=${loaded}>${() => html`<p>${reserved === undefined ? 'None: the function shares what is not reserved.' : reserved === 0 ? '0: all calls are throttled.' : `${reserved} environments at once at most.`}</p>`}<//>
    <${Change}><form class="row" onSubmit=${(e) => { e.preventDefault(); set.run(value); }}>
      <input type="number" min="0" required aria-label="Reserved concurrency" value=${value ?? reserved ?? ''} onInput=${(e) => setValue(e.target.value)} />
      <button disabled=${set.busy || value === undefined}>Reserve</button>${reserved !== undefined ? html`<button type="button" onClick=${() => set.run('')}>Reserve none</button>` : null}</form><//>
    <${Problem} error=${set.error} /></div><//>`;
}

const isNotFound = (error) => {
  if (error.status === 404) return null;
  throw error;
};

function Address({ name }) {
  const path = `/2021-10-31/functions/${inPath(name)}/url`;
  const loaded = useLoad((signal) => lambda('GET', path, { signal }).catch(isNotFound), [name]);
  const [auth, setAuth] = useState('AWS_IAM');
  const [asking, setAsking] = useState(false);
  const make = useAction(async () => {
    await lambda('POST', path, { body: { AuthType: auth } });
    if (auth === 'NONE') await lambda('POST', base(name) + '/policy', { body: { StatementId: 'FunctionURLAllowPublicAccess', Action: 'lambda:InvokeFunctionUrl', Principal: '*', FunctionUrlAuthType: 'NONE' } });
    loaded.reload();
  });
  const remove = useAction(async () => {
    await lambda('DELETE', path);
    loaded.reload();
  });
  const url = loaded.data?.FunctionUrl;
  return html`<${Panel} title="Function URL"><div class="tight">
    <${Loaded} from=${loaded}>${(data) => (data ? html`<p>${/^https?:\/\//.test(url) ? html`<a href=${url} rel="noreferrer" target="_blank">${url}</a>` : url}</p><p class="dim small">${data.AuthType === 'NONE' ? 'Everybody may call it.' : 'Callers sign their requests.'}</p>
        <${Change}><div><button type="button" class="danger" onClick=${() => setAsking(true)}>Remove the URL</button></div><//>`
      : html`<p>The function has none.</p><${Change}><div class="row"><select aria-label="Who may call it" value=${auth} onChange=${(e) => setAuth(e.target.value)}><option value="AWS_IAM">with signatures</option><option value="NONE">for everybody</option></select>
        <button type="button" disabled=${make.busy} onClick=${() => make.run()}>Make a URL</button></div><//>`)}<//>
    <${Problem} error=${make.error ?? remove.error} />
    ${asking ? html`<${Ask} title="Remove the URL?" text="Who calls it gets an error from then on. A new URL has another address." verb="Remove" onYes=${() => remove.run()} onNo=${() => setAsking(false)} />` : null}
  </div><//>`;
}

const Facts = ({ f }) => html`<${Panel} title="More"><dl class="facts">
  <dt>ARN</dt><dd class="mono">${f.FunctionArn}</dd>
  <dt>Code</dt><dd>${bytes(f.CodeSize)} <span class="mono dim">${f.CodeSha256}</span></dd>
  <dt>Architecture</dt><dd>${(f.Architectures ?? []).join(', ')}</dd>
  <dt>Layers</dt><dd>${(f.Layers ?? []).map((l) => l.Arn).join(', ') || 'none'}</dd>
  <dt>Log group</dt><dd class="mono">${f.LoggingConfig?.LogGroup} <span class="dim">${f.LoggingConfig?.LogFormat}</span></dd>
  <dt>Dead-letter queue</dt><dd class="mono">${f.DeadLetterConfig?.TargetArn ?? 'none'}</dd>
</dl><//>`;
