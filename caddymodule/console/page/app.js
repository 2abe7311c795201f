// The page: who is signed in, and the screen of the place.
import { html, render, useEffect, useRef, useState } from './lib/html.js';
import { session, away, findSession, signOut } from './lib/api.js';
import { useStore } from './lib/store.js';
import { place, to } from './lib/route.js';
import { read } from './lib/functions.js';
import { Badge } from './lib/parts.js';
import { SignIn } from './screens/signin.js';
import { Functions } from './screens/functions.js';
import { FunctionScreen } from './screens/function.js';

const icon = document.querySelector('link[rel=icon]').href;

const items = [
  ['functions', 'Functions', 'M4 20c5 0 3-16 8-16h1M7 10h8m5 0l-6 10m0-10l6 10'],
];

const screens = { functions: ({ parts, query }) => (parts[1] ? html`<${FunctionScreen} key=${parts[1]} name=${parts[1]} tab=${parts[2]} query=${query} />` : html`<${Functions} query=${query} />`) };

function Shell() {
  const { parts, query } = useStore(place);
  const who = useStore(session);
  const main = useRef();
  const screen = screens[parts[0]];
  const at = parts.slice(0, 3).join('/');
  const first = useRef(true);
  useEffect(() => {
    document.title = [parts[1], items.find(([name]) => name === parts[0])?.[1], 'Hearth'].filter(Boolean).join(' · ');
    if (!first.current) {
      scrollTo(0, 0);
      main.current.focus({ preventScroll: true });
    }
    first.current = false;
  }, [at]);
  return html`<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>Skip to the content</a>
  <div class="shell">
    <div class="side">
      <a class="brand" href=${to(['functions'])}><img src=${icon} alt="" />Hearth</a>
      <nav aria-label="Screens"><ul class="menu">${items.map(([name, title, path]) => html`
        <li><a href=${to([name])} aria-current=${parts[0] === name ? 'page' : undefined}><svg viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>${title}</a></li>`)}</ul></nav>
      <div class="who"><span class="wide mono" title="Access key">${who.keyId}</span>
        <span class="row">${who.readOnly ? html`<${Badge} kind="warn">read-only<//>` : null}<span class="wide">${who.region}</span></span>
        <button type="button" onClick=${() => signOut().catch(() => {})}>Sign out</button></div>
    </div>
    <main id="main" tabindex="-1" ref=${main}><${Away} />${screen ? screen({ parts, query }) : html`<h1>There is no such screen</h1>`}</main>
  </div>`;
}

function Away() {
  return useStore(away) ? html`<p class="notice warn away" role="status">The server does not answer. The page tries again.</p>` : null;
}

function App() {
  const who = useStore(session);
  const [problem, setProblem] = useState();
  useEffect(() => {
    let timer;
    const find = () => findSession().then(() => setProblem(undefined), (error) => {
      setProblem(error);
      timer = setTimeout(find, 2000);
    });
    find();
    return () => clearTimeout(timer);
  }, []);
  if (problem && who === undefined) return html`<main class="door"><p class="notice warn" role="status">${problem.message}</p></main>`;
  if (who === undefined) return null;
  return who ? html`<${Shell} />` : html`<${SignIn} icon=${icon} />`;
}

// The list is asked for beside the session, so that it is there sooner.
if (place.value.parts.length === 1 && place.value.parts[0] === 'functions') read();

render(html`<${App} />`, document.getElementById('page'));
