// Stacks of CloudFormation, with their resources and events.
import { html } from '../lib/html.js';
import { query } from '../lib/api.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/route.js';
import { ago, date } from '../lib/format.js';
import { Badge, Head, Loaded, Panel } from '../lib/parts.js';

// call reads what is below a path of the answer, as objects of texts.
async function call(action, input, path, signal) {
  const document = await query('cloudformation', '2010-05-15', action, input, signal);
  const members = document.querySelectorAll(`${path} > member`);
  return [...members].map((member) => Object.fromEntries([...member.children].map((child) => [child.localName, child.children.length ? [...child.children] : child.textContent])));
}

const Status = ({ status }) => html`<${Badge} kind=${/FAILED|ROLLBACK/.test(status) ? 'bad' : /PROGRESS/.test(status) ? 'warn' : 'good'}>${status}<//>`;

export function Stacks({ name }) {
  return name ? html`<${Stack} name=${name} />` : html`<${List} />`;
}

function List() {
  const loaded = useLoad((signal) => call('DescribeStacks', {}, 'Stacks', signal), [], { every: 5000 });
  return html`<${Head} title="Stacks" /><${Panel} flush title="Stacks of CloudFormation">
    <${Loaded} from=${loaded} empty="Nothing was deployed as a stack: by SAM, the CDK, or a template.">${(list) => html`<div class="scroll" tabindex="0" role="group" aria-label="Stacks"><table><thead><tr><th>Stack</th><th>Status</th><th>Changed</th></tr></thead><tbody>${list.map((s) => html`<tr>
      <td><a href=${to(['stacks', s.StackName])}>${s.StackName}</a><br /><span class="dim small">${s.Description}</span></td><td><${Status} status=${s.StackStatus} /></td><td class="nowrap" title=${date(s.LastUpdatedTime ?? s.CreationTime)}>${ago(s.LastUpdatedTime ?? s.CreationTime)}</td></tr>`)}</tbody></table></div>`}<//>
  <//>`;
}

function Stack({ name }) {
  const loaded = useLoad(async (signal) => {
    const [stack, resources, events] = await Promise.all([
      call('DescribeStacks', { StackName: name }, 'Stacks', signal), call('DescribeStackResources', { StackName: name }, 'StackResources', signal), call('DescribeStackEvents', { StackName: name }, 'StackEvents', signal),
    ]);
    const outputs = Array.isArray(stack[0].Outputs) ? stack[0].Outputs.map((o) => [o.querySelector('OutputKey')?.textContent, o.querySelector('OutputValue')?.textContent]) : [];
    return { stack: stack[0], resources, events, outputs };
  }, [name], { every: 3000 });
  return html`<${Head} title=${name} crumb=${html`<a href=${to(['stacks'])}>Stacks</a>`}>${loaded.data ? html`<${Status} status=${loaded.data.stack.StackStatus} />` : null}<//>
    <div class="stack"><${Loaded} from=${loaded}>${(d) => html`
      ${d.outputs.length ? html`<${Panel} title="Outputs"><dl class="facts">${d.outputs.map(([key, value]) => html`<dt>${key}</dt><dd class="mono">${value}</dd>`)}</dl><//>` : null}
      <${Panel} flush title="Resources"><div class="scroll" tabindex="0" role="group" aria-label="Resources"><table><thead><tr><th>Resource</th><th>Type</th><th>Is</th><th>Status</th></tr></thead><tbody>${d.resources.map((r) => html`<tr><td>${r.LogicalResourceId}</td><td>${r.ResourceType}</td>
        <td class="mono wrap">${r.ResourceType === 'AWS::Lambda::Function' ? html`<a href=${to(['functions', r.PhysicalResourceId])}>${r.PhysicalResourceId}</a>` : r.PhysicalResourceId}</td><td><${Status} status=${r.ResourceStatus} /></td></tr>`)}</tbody></table></div><//>
      <${Panel} flush title="Events"><div class="scroll" tabindex="0" role="group" aria-label="Events"><table><thead><tr><th>Time</th><th>Resource</th><th>Status</th><th>Reason</th></tr></thead><tbody>${d.events.map((e) => html`<tr key=${e.EventId}><td class="nowrap num">${date(e.Timestamp)}</td><td>${e.LogicalResourceId}</td><td><${Status} status=${e.ResourceStatus} /></td><td class="wrap">${e.ResourceStatusReason}</td></tr>`)}</tbody></table></div><//>`}<//></div>`;
}
