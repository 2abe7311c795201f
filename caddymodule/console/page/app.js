// The page: who is signed in, and the screen of the place.
import { html, render, useEffect, useRef, useState } from './lib/html.js';
import { session, away, findSession, signOut } from './lib/api.js';
import { useStore } from './lib/store.js';
import { place, to } from './lib/route.js';
import { begun, read } from './lib/functions.js';
import { Badge } from './lib/parts.js';
import { SignIn } from './screens/signin.js';
import { Functions } from './screens/functions.js';
import { FunctionScreen } from './screens/function.js';
import { Logs } from './screens/logs.js';
import { Insights } from './screens/insights.js';
import { Events } from './screens/events.js';
import { Sources } from './screens/sources.js';
import { APIs } from './screens/apis.js';
import { Stacks } from './screens/stacks.js';
import { Nodes } from './screens/nodes.js';

const icon = document.querySelector('link[rel=icon]').href;

const items = [
  ['functions', 'Functions', 'M4 20c5 0 3-16 8-16h1M7 10h8m5 0l-6 10m0-10l6 10'],
  ['logs', 'Logs', 'M4 6h16M4 10h10M4 14h16M4 18h8'],
  ['insights', 'Insights', 'M10 4a6 6 0 1 0 0 12a6 6 0 1 0 0-12M14.5 14.5L20 20'],
  ['events', 'Events', 'M4 5h16v11H8l-4 4zM9 10h6'],
  ['sources', 'Sources', 'M5 5v14M5 12h9m0 0l-4-4m4 4l-4 4M19 5v14'],
  ['apis', 'APIs', 'M4 12h5m6 0h5M9 8h6v8H9z'],
  ['stacks', 'Stacks', 'M12 4l8 4-8 4-8-4zM4 12l8 4 8-4M4 16l8 4 8-4'],
  ['nodes', 'Nodes', 'M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01'],
];

const screens = {
  functions: ({ parts, query }) => (parts[1] ? html`<${FunctionScreen} key=${parts[1]} name=${parts[1]} tab=${parts[2]} query=${query} />` : html`<${Functions} query=${query} />`),
  logs: ({ query }) => html`<${Logs} query=${query} />`,
  insights: ({ query }) => html`<${Insights} query=${query} />`,
  events: ({ query }) => html`<${Events} query=${query} />`,
  sources: () => html`<${Sources} />`,
  apis: ({ parts }) => html`<${APIs} key=${parts[1]} id=${parts[1]} kind=${parts[2]} />`,
  stacks: ({ parts }) => html`<${Stacks} key=${parts[1]} name=${parts[1]} />`,
  nodes: () => html`<${Nodes} />`,
};

function Shell() {
  const { parts, query } = useStore(place);
  const who = useStore(session);
  const main = useRef();
  const screen = Object.hasOwn(screens, parts[0]) ? screens[parts[0]] : undefined;
  const at = parts.slice(0, 3).join('/');
  const first = useRef(true);
  useEffect(() => {
    document.title = [parts[1], items.find(([name]) => name === parts[0])?.[1], 'Hearth'].filter(Boolean).join(' · ');
    if (!first.current) {
      scrollTo(0, 0);
      main.current.focus({ preventScroll: true });
    }
    first.current = false;
    // On a telephone the menu and the tabs are wider than the screen.
    for (const link of document.querySelectorAll('.menu [aria-current], .tabs [aria-current]')) {
      const box = link.closest('.tabs') ?? link.closest('nav');
      const [inner, outer] = [link.getBoundingClientRect(), box.getBoundingClientRect()];
      box.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
    }
  }, [at]);
  return html`<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>Skip to the content</a>
  <div class="shell">
    <div class="side">
      <a class="brand" href=${to(['functions'])}><img src=${icon} alt="" />Hearth</a>
      <nav aria-label="Screens"><ul class="menu">${items.map(([name, title, path], n) => html`
        <li><a href=${to([name])} accesskey=${String(n + 1)} aria-current=${parts[0] === name ? 'page' : undefined}><svg viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>${title}</a></li>`)}</ul></nav>
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
    const find = (asked) => asked.then(() => setProblem(undefined), (error) => {
      setProblem(error);
      timer = setTimeout(() => find(findSession()), 2000);
    });
    find(first);
    return () => clearTimeout(timer);
  }, []);
  if (problem && who === undefined) return html`<main class="door"><p class="notice warn" role="status">${problem.message}</p></main>`;
  if (who === undefined) return null;
  return who ? html`<${Shell} />` : html`<${SignIn} icon=${icon} />`;
}

// Both are asked for before anything is drawn, and drawn together: what the browser draws first takes it
// longest. But a list that is slow does not hold the page up.
const listed = place.value.parts.length === 1 && place.value.parts[0] === 'functions';
const first = findSession(listed ? Promise.race([begun, new Promise((resolve) => { setTimeout(resolve, 500); })]) : undefined);
if (listed) read();

render(html`<${App} />`, document.getElementById('page'));
