// A browser with one page of the console, which watches for what must never happen.
import { chromium } from 'playwright-core';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// patience is for a machine that is loaded: nothing here takes so long by itself.
const patience = 30000;

export class Browser {
  static async start({ url, key, secret, directory }) {
    const b = new Browser();
    Object.assign(b, { url, key, secret, problems: [], expected: [] });
    b.context = await chromium.launchPersistentContext(directory, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, acceptDownloads: true, viewport: { width: 1280, height: 800 },
      // Playwright's own code in the page is not the page's.
      bypassCSP: false,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
    });
    b.page = b.context.pages()[0] ?? await b.context.newPage();
    b.page.setDefaultTimeout(patience);
    const host = new URL(url).host;
    b.context.on('request', (request) => {
      const at = new URL(request.url());
      if (at.protocol !== 'data:' && at.protocol !== 'blob:' && at.host !== host) b.problems.push('a request to another host: ' + request.url());
    });
    // Why a request got no answer: the page itself cannot know.
    b.page.on('requestfailed', (request) => {
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') b.failed = [...(b.failed ?? []).slice(-9), `${request.method()} ${request.url()}: ${request.failure()?.errorText}`];
    });
    b.page.on('pageerror', (error) => b.problems.push('an error in the page: ' + error.stack));
    b.page.on('dialog', (dialog) => {
      b.problems.push('a dialog of a script: ' + dialog.message());
      dialog.dismiss();
    });
    b.page.on('console', (message) => {
      const text = message.text();
      // The browser itself tells of each refused request; the cases say which they expect.
      if (message.type() === 'error' && !/^Failed to load resource/.test(text)) b.problems.push('in the console: ' + text);
      if (/Content.Security.Policy/i.test(text)) b.problems.push('the policy was violated: ' + text);
    });
    return b;
  }

  takeProblems() {
    return this.problems.splice(0);
  }

  async close() {
    await this.context.close();
  }

  text() {
    return this.page.evaluate(() => document.body.innerText).catch((error) => String(error));
  }

  // open shows a screen, by what is after # in its address.
  async open(hash) {
    await this.page.goto(this.url + '#/' + hash);
  }

  async signIn(key = this.key, secret = this.secret) {
    await this.page.getByLabel('Access key ID').fill(key);
    await this.page.getByLabel('Secret access key').fill(secret);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
  }

  async signedIn(key, secret) {
    await this.signIn(key, secret);
    await this.page.getByRole('button', { name: 'Sign out' }).waitFor();
  }

  // sees waits for a text in the page, or in a part of it.
  async sees(text, within = this.page) {
    await within.getByText(text).first().waitFor();
  }

  // call makes a call of AWS's APIs as the page does, and returns its status and text.
  call(method, path, body, headers = {}) {
    return this.page.evaluate(async ([m, p, b, h]) => {
      const response = await fetch('-/call/' + p, { method: m, headers: { 'X-Hearth-Console': '1', 'Content-Type': 'application/json', ...h }, body: b });
      return { status: response.status, text: await response.text() };
    }, [method, path, body, headers]);
  }

  // audit fails if axe finds something serious in the page as it is, in light or in dark.
  async audit() {
    const found = [];
    for (const colorScheme of ['light', 'dark']) {
      await this.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      if (!await this.page.evaluate(() => 'axe' in globalThis)) await this.page.evaluate(axe);
      // Only colours differ in the dark.
      const options = { resultTypes: ['violations'], ...(colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {}) };
      const violations = await this.page.evaluate(async (given) => (await globalThis.axe.run(document, given)).violations
        .filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + ' ' + n.any.map((c) => c.message).join('; ')).join(' | ')}`));
      found.push(...violations.map((text) => `${colorScheme}: ${text}`));
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
    if (found.length) throw new Error('axe finds at ' + this.page.url() + '\n' + found.join('\n'));
  }

  // narrow fails if a telephone, or a small window, would have to scroll sideways.
  async narrow() {
    for (const width of [360, 768, 830, 970, 1120]) {
      await this.page.setViewportSize({ width, height: 740 });
      const over = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) throw new Error(`${this.page.url()} is ${over} px wider than a window of ${width}`);
    }
    await this.page.setViewportSize({ width: 1280, height: 800 });
  }
}

export function equal(got, want, what) {
  if (got !== want) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}
