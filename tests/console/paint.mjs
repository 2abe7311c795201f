// Loads the list of functions again and again, as somebody who is signed in, and prints what each load
// took: node paint.mjs URL KEY SECRET DIRECTORY LOADS
// A time is from the start of the navigation until the first row is painted, in ms. Cold has no
// file of the page in the browser's cache.
import { Browser } from './browser.mjs';

const [url, key, secret, directory, loads] = process.argv.slice(2);
const browser = await Browser.start({ url, key, secret, directory });

// The first frame after the row is there ends the wait: a task that is posted in it runs when it is drawn.
await browser.page.addInitScript(() => {
  const watch = new MutationObserver(() => {
    if (!document.querySelector('.list-row a')) return;
    watch.disconnect();
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { globalThis.rowPainted = performance.now(); };
      port2.postMessage(0);
    });
  });
  watch.observe(document, { childList: true, subtree: true });
});

async function load() {
  await browser.page.goto('about:blank');
  await browser.page.goto(url, { waitUntil: 'commit' });
  await browser.page.waitForFunction(() => globalThis.rowPainted);
  return browser.page.evaluate(() => globalThis.rowPainted);
}

try {
  await browser.open('');
  await browser.signedIn();
  const session = await browser.context.newCDPSession(browser.page);
  const times = { cold: [], warm: [] };
  for (let n = 0; n < Number(loads); n++) {
    await session.send('Network.clearBrowserCache');
    times.cold.push(await load());
    times.warm.push(await load());
  }
  const problems = browser.takeProblems();
  if (problems.length) throw new Error(problems.join('\n'));
  process.stdout.write(JSON.stringify(times) + '\n');
} finally {
  await browser.close();
}
process.exit(0);
