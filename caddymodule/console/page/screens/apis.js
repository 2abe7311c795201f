// APIs of API Gateway: routes, authorizers, stages.
import { html } from '../lib/html.js';
import { json, name as inPath, own, rest } from '../lib/api.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { date } from '../lib/format.js';
import { Badge, Head, Loaded, Panel } from '../lib/parts.js';

const get = (path, signal) => json(rest('apigateway', 'GET', path, { signal }));

export function APIs({ id, kind }) {
  if (id && kind === 'caddyfile') return html`<${ConfiguredAPI} name=${id} />`;
  if (id && kind === 'rest') return html`<${RestAPI} id=${id} />`;
  if (id) return html`<${API} id=${id} />`;
  return html`<${List} />`;
}

function List() {
  const loaded = useLoad(async (signal) => {
    const [v2, v1] = await Promise.all([get('/v2/apis', signal), get('/restapis', signal)]);
    return [...(v2.items ?? []).map((a) => ({ id: a.apiId, name: a.name, kind: a.protocolType, url: a.apiEndpoint, made: a.createdDate })),
      ...(v1.item ?? []).map((a) => ({ id: a.id, name: a.name, kind: 'REST', url: '', made: a.createdDate * 1000 }))];
  }, [], { every: 15000 });
  return html`<${Head} title="APIs" /><div class="stack"><${Configured} /><${Panel} flush title="APIs of API Gateway">
    <${Loaded} from=${loaded} empty="Nobody has made an API by AWS's API.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="APIs"><table><thead><tr><th>API</th><th>Type</th><th>Address</th><th>Made</th></tr></thead><tbody>${list.map((a) => html`<tr>
      <td><a href=${to(['apis', a.id, a.kind === 'REST' ? 'rest' : 'v2'])}>${a.name}</a> <span class="mono dim">${a.id}</span></td><td><${Badge}>${a.kind}<//></td><td class="mono wrap">${a.url}</td><td class="nowrap">${date(a.made)}</td></tr>`)}</tbody></table></div>`}<//>
  <//></div>`;
}

const configured = (signal) => own('GET', 'apis', signal);

function Configured() {
  const loaded = useLoad(configured, [], { every: 15000 });
  return html`<${Panel} flush title="APIs of the Caddyfile"><${Loaded} from=${loaded}>${({ apis, more }) => (apis.length ? html`<div class="scroll" tabindex="0" role="group" aria-label="APIs of the Caddyfile"><table><thead><tr><th>API</th><th>Type</th><th>Address</th><th class="right">Routes</th></tr></thead><tbody>${apis.map((a) => html`<tr>
      <td><a href=${to(['apis', a.name, 'caddyfile'])}>${a.name}</a></td><td><${Badge}>${a.protocol}<//> <${Badge}>Caddyfile<//></td><td class="mono wrap">${a.addresses.join(' ')}</td><td class="right num">${a.routes.length}</td></tr>`)}</tbody></table></div>`
    : html`<div class="empty"><p>The Caddyfile has no API.</p></div>`)}<//>
    ${loaded.data?.more ? html`<p class="notice">The Caddyfile has more APIs than this list holds.</p>` : null}<//>`;
}

// ConfiguredAPI is only shown: the Caddyfile alone changes it. Sites may have APIs of one name.
function ConfiguredAPI({ name }) {
  const loaded = useLoad(async (signal) => (await configured(signal)).apis.filter((a) => a.name === name), [name], { every: 15000 });
  const calls = (r) => {
    if (r.function) return html`<a href=${to(['functions', r.function.split(':')[0]])}>${r.function}</a>`;
    return r.mock ? html`<span class="dim">it answers by itself</span>` : (r.servers ?? []).join(' ');
  };
  const by = (r) => [r.authorizer, r.iam && 'AWS_IAM', r.usage_plans?.length && 'API key: ' + r.usage_plans.join(', ')].filter(Boolean).join('; ') || html`<span class="dim">nobody</span>`;
  return html`<${Head} title=${name} crumb=${html`<a href=${to(['apis'])}>APIs</a>`}><${Badge}>Caddyfile<//><//>
    <div class="stack"><${Loaded} from=${loaded} empty="The Caddyfile has no such API.">${(list) => list.map((a, n) => html`
      <${Panel} title="Addresses"><p class="mono wrap">${a.addresses.join(' ')} <${Badge}>${a.protocol}<//></p><//>
      <${Panel} flush title="Routes"><div class="scroll" tabindex="0" role="group" aria-label=${'Routes' + (n ? ` of API ${n + 1}` : '')}><table><thead><tr><th>Route</th><th>Calls</th><th>Authorizer</th></tr></thead><tbody>${a.routes.map((r) => html`<tr><td class="mono">${r.route}</td><td class="mono wrap">${calls(r)}</td><td>${by(r)}</td></tr>`)}</tbody></table></div><//>`)}<//></div>`;
}

function API({ id }) {
  const path = '/v2/apis/' + inPath(id);
  const loaded = useLoad(async (signal) => {
    const [api, routes, integrations, authorizers, stages] = await Promise.all([get(path, signal), ...['routes', 'integrations', 'authorizers', 'stages'].map((part) => get(`${path}/${part}`, signal).then((p) => p.items ?? []))]);
    return { api, routes, integrations: new Map(integrations.map((i) => [i.integrationId, i])), authorizers: new Map(authorizers.map((a) => [a.authorizerId, a])), stages };
  }, [id], { every: 15000 });
  const calls = (d, r) => {
    const integration = d.integrations.get(r.target?.split('/')[1]);
    return integration?.integrationUri ?? integration?.integrationType ?? '';
  };
  const by = (d, r) => (r.authorizationType === 'NONE' || !r.authorizationType ? html`<span class="dim">nobody</span>` : d.authorizers.get(r.authorizerId)?.name ?? r.authorizationType);
  return html`<${Head} title=${loaded.data?.api.name ?? id} crumb=${html`<a href=${to(['apis'])}>APIs</a>`}>${loaded.data ? html`<${Badge}>${loaded.data.api.protocolType}<//>` : null}<//>
    <div class="stack"><${Loaded} from=${loaded}>${(d) => html`
      <${Panel} flush title="Routes"><div class="scroll" tabindex="0" role="group" aria-label="Routes"><table><thead><tr><th>Route</th><th>Calls</th><th>Authorizer</th></tr></thead><tbody>${d.routes.map((r) => html`<tr><td class="mono">${r.routeKey}</td><td class="mono wrap">${calls(d, r)}</td><td>${by(d, r)}</td></tr>`)}</tbody></table></div><//>
      <${Panel} flush title="Authorizers">${d.authorizers.size ? html`<div class="scroll" tabindex="0" role="group" aria-label="Authorizers"><table><thead><tr><th>Authorizer</th><th>Type</th><th>By</th></tr></thead><tbody>${[...d.authorizers.values()].map((a) => html`<tr><td>${a.name}</td><td>${a.authorizerType}</td><td class="mono wrap">${a.authorizerUri ?? a.jwtConfiguration?.issuer}</td></tr>`)}</tbody></table></div>` : html`<div class="empty">There are none.</div>`}<//>
      <${Panel} flush title="Stages"><div class="scroll" tabindex="0" role="group" aria-label="Stages"><table><thead><tr><th>Stage</th><th>Deployment</th><th>Changed</th></tr></thead><tbody>${d.stages.map((s) => html`<tr><td>${s.stageName}</td><td class="mono">${s.deploymentId} ${s.autoDeploy ? html`<${Badge}>auto<//>` : null}</td><td>${date(s.lastUpdatedDate)}</td></tr>`)}</tbody></table></div><//>`}<//></div>`;
}

function RestAPI({ id }) {
  const path = '/restapis/' + inPath(id);
  const loaded = useLoad(async (signal) => {
    const [api, resources, authorizers, stages] = await Promise.all([get(path, signal), get(path + '/resources?embed=methods&limit=500', signal), get(path + '/authorizers', signal), get(path + '/stages', signal)]);
    const methods = (resources.item ?? []).flatMap((r) => Object.entries(r.resourceMethods ?? {}).map(([method, m]) => ({ method, path: r.path, ...m })));
    return { api, methods, authorizers: authorizers.item ?? [], stages: stages.item ?? [] };
  }, [id], { every: 15000 });
  return html`<${Head} title=${loaded.data?.api.name ?? id} crumb=${html`<a href=${to(['apis'])}>APIs</a>`}><${Badge}>REST<//><//>
    <div class="stack"><${Loaded} from=${loaded}>${(d) => html`
      <${Panel} flush title="Methods"><div class="scroll" tabindex="0" role="group" aria-label="Methods"><table><thead><tr><th>Method</th><th>Calls</th><th>Authorizer</th></tr></thead><tbody>${d.methods.map((m) => html`<tr><td class="mono">${m.method} ${m.path}</td><td class="mono wrap">${m.methodIntegration?.uri ?? m.methodIntegration?.type}</td><td>${m.authorizationType ?? 'nobody'}${m.apiKeyRequired ? ', API key' : ''}</td></tr>`)}</tbody></table></div><//>
      <${Panel} flush title="Authorizers">${d.authorizers.length ? html`<div class="scroll" tabindex="0" role="group" aria-label="Authorizers"><table><thead><tr><th>Authorizer</th><th>Type</th></tr></thead><tbody>${d.authorizers.map((a) => html`<tr><td>${a.name}</td><td>${a.type}</td></tr>`)}</tbody></table></div>` : html`<div class="empty">There are none.</div>`}<//>
      <${Panel} flush title="Stages"><div class="scroll" tabindex="0" role="group" aria-label="Stages"><table><thead><tr><th>Stage</th><th>Deployment</th></tr></thead><tbody>${d.stages.map((s) => html`<tr><td>${s.stageName}</td><td class="mono">${s.deploymentId}</td></tr>`)}</tbody></table></div><//>`}<//></div>`;
}
