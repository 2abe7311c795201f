// Versions, aliases and their weights.
import { html, useState } from '../lib/html.js';
import { lambda, name as inPath } from '../lib/api.js';
import { useAction, useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { bytes, date } from '../lib/format.js';
import { Ask, Change, Field, Loaded, Panel, Problem } from '../lib/parts.js';

async function every(path, list, signal) {
  const all = [];
  let marker;
  do {
    const page = await lambda('GET', path, { query: { Marker: marker }, signal });
    all.push(...page[list]);
    marker = page.NextMarker;
  } while (marker && all.length < 5000);
  return all;
}

export function Versions({ name }) {
  const base = `/2015-03-31/functions/${inPath(name)}`;
  const versions = useLoad(async (signal) => (await every(base + '/versions', 'Versions', signal)).reverse(), [name]);
  const aliases = useLoad((signal) => every(base + '/aliases', 'Aliases', signal), [name]);
  const [about, setAbout] = useState('');
  const [alias, setAlias] = useState();
  const [asking, setAsking] = useState();
  const publish = useAction(async () => {
    await lambda('POST', base + '/versions', { body: { Description: about } });
    setAbout('');
    versions.reload();
  });
  const save = useAction(async () => {
    const body = { FunctionVersion: alias.version, RoutingConfig: { AdditionalVersionWeights: alias.second && Number(alias.weight) > 0 ? { [alias.second]: Number(alias.weight) / 100 } : {} } };
    if (alias.known) await lambda('PUT', `${base}/aliases/${inPath(alias.name)}`, { body });
    else await lambda('POST', base + '/aliases', { body: { ...body, Name: alias.name } });
    setAlias(undefined);
    aliases.reload();
  });
  const remove = useAction(async (which) => {
    await lambda('DELETE', `${base}/aliases/${inPath(which)}`);
    aliases.reload();
  });
  const numbers = (versions.data ?? []).map((v) => v.Version);
  const edit = (a) => {
    const [second, weight] = Object.entries(a.RoutingConfig?.AdditionalVersionWeights ?? {})[0] ?? ['', 0];
    setAlias({ known: true, name: a.Name, version: a.FunctionVersion, second, weight: Math.round(weight * 100) });
  };
  return html`
    <${Panel} flush title="Aliases" actions=${html`<${Change}><button type="button" onClick=${() => setAlias({ name: '', version: numbers.find((v) => v !== '$LATEST') ?? '$LATEST', second: '', weight: 0 })}>New alias</button><//>`}>
      ${alias ? html`<form class="body" onSubmit=${(e) => { e.preventDefault(); save.run(); }}><div class="fields">
          <${Field} label="Name"><input required pattern="(?!^[0-9]+$)([a-zA-Z0-9_\\-]+)" maxlength="128" value=${alias.name} disabled=${alias.known} onInput=${(e) => setAlias({ ...alias, name: e.target.value })} /><//>
          <${Field} label="Version"><select value=${alias.version} onChange=${(e) => setAlias({ ...alias, version: e.target.value })}>${numbers.map((v) => html`<option>${v}</option>`)}</select><//>
          <${Field} label="Second version"><select value=${alias.second} onChange=${(e) => setAlias({ ...alias, second: e.target.value })}><option value="">none</option>${numbers.filter((v) => v !== '$LATEST' && v !== alias.version).map((v) => html`<option>${v}</option>`)}</select><//>
          <${Field} label="Its share, %"><input type="number" min="0" max="100" disabled=${!alias.second} value=${alias.weight} onInput=${(e) => setAlias({ ...alias, weight: e.target.value })} /><//>
        </div><div class="row gap"><button class="primary" disabled=${save.busy}>Save alias</button><button type="button" onClick=${() => setAlias(undefined)}>Cancel</button></div><${Problem} error=${save.error} /></form>` : null}
      <${Problem} error=${remove.error} />
      <${Loaded} from=${aliases} empty="There are no aliases.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Aliases"><table><thead><tr><th>Alias</th><th>Version</th><th>Weights</th><th><span class="visually-hidden">Actions</span></th></tr></thead><tbody>${list.map((a) => html`<tr>
        <td><strong>${a.Name}</strong> <span class="dim">${a.Description}</span></td><td class="num">${a.FunctionVersion}</td>
        <td class="num">${Object.entries(a.RoutingConfig?.AdditionalVersionWeights ?? {}).map(([v, w]) => `${Math.round(w * 100)} % to ${v}`).join(', ') || '–'}</td>
        <td class="right nowrap"><a href=${to(['functions', name, 'test'], { qualifier: a.Name })}>Test</a> <${Change}><button type="button" class="plain" onClick=${() => edit(a)}>Edit</button><button type="button" class="plain danger" onClick=${() => setAsking(a.Name)}>Delete</button><//></td></tr>`)}</tbody></table></div>`}<//>
    <//>
    <${Panel} flush title="Versions" actions=${html`<${Change}><form class="row" onSubmit=${(e) => { e.preventDefault(); publish.run(); }}><input aria-label="Description of the version" placeholder="Description" maxlength="256" value=${about} onInput=${(e) => setAbout(e.target.value)} /><button disabled=${publish.busy}>Publish version</button></form><//>`}>
      <${Problem} error=${publish.error} />
      <${Loaded} from=${versions}>${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Versions"><table><thead><tr><th>Version</th><th>Description</th><th>Runtime</th><th class="right">Memory</th><th class="right">Code</th><th>Published</th><th><span class="visually-hidden">Actions</span></th></tr></thead><tbody>${list.map((v) => html`<tr>
        <td class="num"><strong>${v.Version}</strong></td><td>${v.Description}</td><td>${v.Runtime}</td><td class="right num nowrap">${v.MemorySize} MB</td><td class="right num nowrap">${bytes(v.CodeSize)}</td><td class="nowrap">${date(v.LastModified)}</td>
        <td class="right"><a href=${to(['functions', name, 'test'], { qualifier: v.Version })}>Test</a></td></tr>`)}</tbody></table></div>`}<//>
    <//>
    ${asking ? html`<${Ask} title=${`Delete alias ${asking}?`} text="Who calls the function by it gets an error from then on." verb="Delete" onYes=${() => remove.run(asking)} onNo=${() => setAsking(undefined)} />` : null}`;
}
