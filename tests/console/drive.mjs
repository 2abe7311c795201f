// Drives Chromium through the cases of a file: node drive.mjs FILE URL KEY SECRET DIRECTORY
// It prints a line of JSON for each case, and for what console_test.go is to do meanwhile.
import { createInterface } from 'node:readline';
import { Browser } from './browser.mjs';

const [file, url, key, secret, directory] = process.argv.slice(2);
const { cases } = await import('./' + file);
const print = (line) => process.stdout.write(JSON.stringify(line) + '\n');

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(what) {
  print({ ask: what });
  await answers.next();
}

const browser = await Browser.start({ url, key, secret, directory });
try {
  for (const [name, run] of Object.entries(cases)) {
    const begun = Date.now();
    const errors = [];
    try {
      await run(browser, { ask, log: (text) => print({ log: text }) });
    } catch (error) {
      errors.push(String(error.stack ?? error).slice(0, 2000));
      errors.push('the page shows: ' + (await browser.text()).slice(0, 1500));
      if (browser.failed) errors.push('requests that failed: ' + browser.failed.join('\n'));
    }
    errors.push(...browser.takeProblems().slice(0, 20));
    print({ case: name, errors, took: Date.now() - begun });
  }
} finally {
  await browser.close();
}
process.exit(0);
