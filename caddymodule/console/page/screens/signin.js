// Sign-in with an access key.
import { html, useEffect, useRef } from '../lib/html.js';
import { signIn } from '../lib/api.js';
import { useAction } from '../lib/load.js';
import { Field, Problem } from '../lib/parts.js';

export function SignIn({ icon }) {
  const form = useRef();
  const sign = useAction(signIn);
  useEffect(() => {
    document.title = 'Sign in · Hearth';
    form.current.elements.key.focus();
  }, []);
  async function submit(event) {
    event.preventDefault();
    const { key, secret } = form.current.elements;
    await sign.run(key.value.trim(), secret.value.trim());
  }
  return html`<main class="door"><form class="panel" ref=${form} onSubmit=${submit} aria-labelledby="door-title">
    <h1 id="door-title"><img src=${icon} alt="" />Sign in to Hearth</h1>
    <${Field} label="Access key ID"><input name="key" autocomplete="username" autocapitalize="off" spellcheck=${false} required maxlength="128" /><//>
    <${Field} label="Secret access key"><input name="secret" type="password" autocomplete="current-password" required maxlength="1024" /><//>
    <${Problem} error=${sign.error} />
    <button class="primary" disabled=${sign.busy}>${sign.busy ? 'Signing in…' : 'Sign in'}</button>
    <p class="hint">It is the key that the <code>aws</code> command uses: <code>caddy hearth env</code> prints it on the server. The page does not keep it.</p>
  </form></main>`;
}
