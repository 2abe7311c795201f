// What people do who have many functions and many lines of logs.
import { equal } from './browser.mjs';

const mostElements = 60; // rows of the list that are drawn
const mostLines = 2000;
const mostMemory = 120 << 20; // bytes of the page's objects
const mostPause = 8000; // ms in which the page answers nothing, on a machine that is loaded

// pauses starts to measure how long the page answers nothing at most.
const pauses = (b) => b.page.evaluate(() => {
  globalThis.longest = 0;
  let before = performance.now();
  clearInterval(globalThis.beat);
  globalThis.beat = setInterval(() => {
    globalThis.longest = Math.max(globalThis.longest, performance.now() - before);
    before = performance.now();
  }, 20);
});

async function answered(b, what, log) {
  const longest = await b.page.evaluate(() => globalThis.longest);
  log(`${what}: the page answered nothing for ${Math.round(longest)} ms at most`);
  if (longest > mostPause) throw new Error(`${what}: the page answered nothing for ${Math.round(longest)} ms`);
}

async function memory(b, what, log) {
  const session = await b.context.newCDPSession(b.page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  log(`${what}: ${Math.round(usedSize / (1 << 20))} MB of objects`);
  if (usedSize > mostMemory) throw new Error(`${what}: the page has ${usedSize} bytes of objects`);
}

const rows = (b) => b.page.locator('.list-row:not(.titles)').count();

async function few(b, what) {
  const drawn = await rows(b);
  if (drawn < 10 || drawn > mostElements) throw new Error(`${what}: ${drawn} rows are drawn`);
}

export const cases = {
  async 'ten thousand functions are listed'(b, { log }) {
    await b.open('');
    await b.signIn();
    await b.page.getByRole('link', { name: 'service-00000' }).waitFor();
    await pauses(b);
    await b.sees('(10000)');
    await few(b, 'at the top');
    await answered(b, 'while 10,000 functions were read', log);
    await memory(b, '10,000 functions', log);
  },

  async 'the list is scrolled and searched'(b, { log }) {
    await pauses(b);
    for (const share of [0.25, 0.5, 1]) {
      await b.page.evaluate((part) => scrollTo(0, document.documentElement.scrollHeight * part), share);
      await b.page.waitForFunction((part) => Number(document.querySelectorAll('.list-row:not(.titles)')[10]?.ariaRowIndex) > 9000 * part, share);
      await few(b, `at ${share}`);
    }
    await b.page.getByRole('link', { name: 'service-09999' }).waitFor();
    const search = b.page.getByLabel('Search functions');
    for (const [text, found, first] of [['service-07', '(1000)', 'service-07000'], ['7777', '(1)', 'service-07777'], ['nothing', '(0)']]) {
      await search.fill(text);
      await b.sees(found);
      if (first) await b.page.getByRole('link', { name: first }).waitFor();
    }
    await search.fill('');
    await b.page.getByRole('link', { name: 'service-00000' }).waitFor();
    await answered(b, 'while the list was scrolled and searched', log);
    await memory(b, 'after that', log);
  },

  async 'a million lines come while one looks'(b, { log, ask }) {
    await b.open('logs?function=service-00000');
    await b.page.getByText('live', { exact: true }).waitFor();
    await pauses(b);
    await ask('log');
    await b.page.waitForFunction(() => /line 0\d+/.test(document.querySelector('.log-line:last-child')?.innerText ?? ''));
    const drawn = await b.page.locator('.log-line').count();
    if (drawn < 500 || drawn > mostLines) throw new Error(`${drawn} lines are drawn`);
    await answered(b, 'while a million lines came', log);
    await memory(b, 'after a million lines', log);
    await b.page.getByRole('button', { name: 'Clear' }).click();
    await b.page.locator('.log-line').first().waitFor({ state: 'detached' });
  },

  async 'a million lines are read'(b, { log }) {
    await pauses(b);
    await b.page.getByRole('combobox', { name: /^Time/ }).selectOption('1h');
    await b.sees('line 0000000', b.page.getByRole('log'));
    equal(await b.page.locator('.log-line').count(), mostLines, 'lines that are drawn');
    await b.sees(/These are the first lines/);
    await b.page.getByRole('button', { name: 'Later lines' }).click();
    await b.sees('line 0002000', b.page.getByRole('log'));
    await b.page.getByLabel('Filter pattern').fill('"line 0999999"');
    await b.page.getByRole('button', { name: 'Show', exact: true }).click();
    await b.page.getByRole('combobox', { name: /^Time/ }).selectOption('1h');
    await b.sees('line 0999999', b.page.getByRole('log'));
    equal(await b.page.locator('.log-line').count(), 1, 'lines that the pattern leaves');
    await answered(b, 'while a million lines were read', log);
    await memory(b, 'after that', log);
  },
};
