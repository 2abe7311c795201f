// Parts of screens.
import { html, useEffect, useRef } from './html.js';
import { session } from './api.js';
import { useStore } from './store.js';

export const Badge = ({ kind = '', title, children }) => html`<span class=${'badge ' + kind} title=${title}>${children}</span>`;

export const Problem = ({ error }) => error && error.name !== 'AbortError' && html`
  <p class="notice bad" role="alert">${error.code && error.status ? html`<strong>${error.code}: </strong>` : null}${error.message}</p>`;

export const Done = ({ children }) => html`<p class="notice good" role="status">${children}</p>`;

// Loaded shows what useLoad has, its error, or that it loads.
export function Loaded({ from, empty, children }) {
  const { data, error, loading } = from;
  return html`
    <${Problem} error=${error} />
    ${data !== undefined ? (empty && data.length === 0 ? html`<div class="empty"><p>${empty}</p></div>` : children(data)) : null}
    ${loading && data === undefined ? html`<div class="empty" role="status">Loading…</div>` : null}`;
}

export function Panel({ title, actions, foot, children, flush, id }) {
  return html`<section class="panel" aria-label=${title} id=${id}>
    ${title || actions ? html`<header><h2 class="grow">${title}</h2>${actions}</header>` : null}
    ${flush ? children : html`<div class="body">${children}</div>`}
    ${foot ? html`<footer>${foot}</footer>` : null}
  </section>`;
}

export const Head = ({ title, crumb, children }) => html`<div class="head"><div class="grow">
  ${crumb ? html`<p class="crumb">${crumb}</p>` : null}<h1>${title}</h1></div>${children}</div>`;

export const Field = ({ label, hint, children }) => html`<label class="field"><span>${label}</span>${children}${hint ? html`<span class="hint">${hint}</span>` : null}</label>`;

// Change is for what a read-only key may not do: it shows nothing then.
export function Change({ children }) {
  return useStore(session)?.readOnly ? null : children;
}

export const useReadOnly = () => Boolean(useStore(session)?.readOnly);

// Ask asks before something is done that cannot be undone.
export function Ask({ title, text, verb, onYes, onNo }) {
  const dialog = useRef();
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="ask-title" onClose=${onNo}>
    <div class="stack"><h2 id="ask-title">${title}</h2><p>${text}</p>
      <div class="row"><span class="grow"></span>
        <button type="button" onClick=${() => dialog.current.close()}>Cancel</button>
        <button type="button" class="primary" onClick=${() => { onYes(); dialog.current.close(); }}>${verb}</button></div></div>
  </dialog>`;
}
