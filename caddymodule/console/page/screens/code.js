// The code of a function: the files of a small archive, edited and deployed.
import { html, useEffect, useState } from '../lib/html.js';
import { archive, lambda, name as inPath } from '../lib/api.js';
import { useAction, useLoad } from '../lib/load.js';
import { bytes, date } from '../lib/format.js';
import { base64, readZip, text, writeZip } from '../lib/zip.js';
import { settled } from '../lib/settled.js';
import { Badge, Done, Loaded, Panel, Problem, useReadOnly } from '../lib/parts.js';

const mostShown = 3 << 20; // bytes of an archive, packed
const mostEdited = 512 << 10; // bytes of a file

function save(name, data) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([data], { type: 'application/zip' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function Code({ name, f, all, reload }) {
  const small = f.CodeSize <= mostShown;
  const code = useLoad(async (signal) => {
    if (!small) return { files: [] };
    const packed = await archive(all.Code.Location, signal);
    const files = readZip(packed);
    return { packed, files };
  }, [name, f.CodeSha256]);
  const download = useAction(async () => save(name + '.zip', code.data?.packed ?? await archive(all.Code.Location)));
  return html`<${Panel} flush title="Code" actions=${html`<span class="dim small">${bytes(f.CodeSize)} · changed ${date(f.LastModified)}</span>
      <button type="button" onClick=${() => download.run()} disabled=${download.busy}>Download</button>`}>
    <${Problem} error=${download.error} />
    ${!small ? html`<div class="empty"><p>The archive is too large to be shown here. Download it, or deploy another with <code>caddy hearth deploy</code>.</p></div>` : null}
    ${small ? html`<${Loaded} from=${code}>${(data) => html`<${Editor} key=${f.CodeSha256} name=${name} f=${f} files=${data.files} reload=${reload} />`}<//>` : null}
  <//>`;
}

// put deploys an archive. If no answer comes, the function says whether it has the archive, and is sent it again if nothing
// has changed it.
async function put(name, packed, revision) {
  const send = () => lambda('PUT', `/2015-03-31/functions/${inPath(name)}/code`, { body: { ZipFile: base64(packed), RevisionId: revision } });
  try {
    await send();
  } catch (error) {
    if (error.status !== 0) throw error;
    const now = await lambda('GET', `/2015-03-31/functions/${inPath(name)}/configuration`);
    if (now.CodeSha256 === base64(new Uint8Array(await crypto.subtle.digest('SHA-256', packed)))) return;
    if (now.RevisionId !== revision) throw error;
    await send();
  }
}

function Editor({ name, f, files, reload }) {
  const first = files.find((file) => f.Handler && file.name.startsWith(f.Handler.replace(/\.[^.]*$/, ''))) ?? files[0];
  const [open, setOpen] = useState(first?.name);
  // By names of files, which may be those of an object's own methods.
  const [contents, setContents] = useState(new Map()); // of files that were opened: their text, undefined for none
  const [changed, setChanged] = useState(new Map());
  const readOnly = useReadOnly();
  const file = files.find((one) => one.name === open);
  useEffect(() => {
    if (!file || contents.has(file.name)) return;
    const show = (content) => setContents((before) => new Map(before).set(file.name, content));
    file.data().then((data) => show(file.size > mostEdited ? undefined : text(data)), () => show(undefined));
  }, [open]);
  const edited = changed.size;
  useEffect(() => {
    if (!edited) return undefined;
    const warn = (e) => e.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [edited > 0]);
  const deploy = useAction(async () => {
    const packed = await writeZip(files.map((one) => (changed.has(one.name) ? { ...one, data: async () => new TextEncoder().encode(changed.get(one.name)) } : one)));
    await put(name, packed, f.RevisionId);
    await settled(name);
    setChanged(new Map());
    reload();
    return true;
  });
  const value = changed.get(open) ?? contents.get(open);
  return html`<div class="editor">
      <ul class="files" aria-label="Files">${files.map((one) => html`<li><button type="button" aria-current=${one.name === open ? 'true' : undefined} onClick=${() => setOpen(one.name)}>${one.name}${changed.has(one.name) ? ' •' : ''}</button></li>`)}</ul>
      ${file && contents.has(file.name) && value === undefined ? html`<div class="empty"><p>${open} is no text, or too large to be edited here.</p></div>` : html`
        <textarea aria-label=${'Content of ' + (open ?? 'the file')} spellcheck=${false} autocapitalize="off" readonly=${readOnly} value=${value ?? ''}
          onInput=${(e) => setChanged(new Map(changed).set(open, e.target.value))}></textarea>`}
    </div>
    <footer>
      ${readOnly ? html`<span class="dim">A read-only key cannot deploy.</span>` : html`
        <button type="button" class="primary" disabled=${!edited || deploy.busy} onClick=${() => deploy.run()}>${deploy.busy ? 'Deploying…' : 'Deploy'}</button>
        ${edited ? html`<button type="button" onClick=${() => setChanged(new Map())}>Undo changes</button><${Badge} kind="warn">${edited} changed<//>` : null}`}
      <div class="grow"><${Problem} error=${deploy.error} />${deploy.done && !edited ? html`<${Done}>The new code is deployed.<//>` : null}</div>
    </footer>`;
}
