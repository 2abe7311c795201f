// What people do with the console. The cases share a browser, and run in this order.
import { equal } from './browser.mjs';

export const cases = {
  async 'a wrong key is refused'(b) {
    await b.open('');
    await b.signIn(b.key, 'this is not the secret');
    await b.sees(/no such access key/);
    await b.audit();
    await b.narrow();
  },

  async 'sign in and find a function'(b) {
    await b.signedIn();
    await b.page.getByRole('link', { name: 'orders' }).waitFor();
    await b.audit();
    await b.narrow();
    await b.page.getByLabel('Search functions').fill('ORD');
    await b.page.getByRole('link', { name: 'other' }).waitFor({ state: 'detached' });
    await b.page.getByRole('link', { name: 'orders' }).click();
    await b.page.getByRole('heading', { level: 1, name: 'orders' }).waitFor();
    equal((await b.context.cookies()).some((c) => c.value.includes(b.key) || c.value.includes(b.secret)), false, 'the key is in a cookie');
    equal(await b.page.evaluate(([key, secret]) => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]).match(key) || JSON.stringify([{ ...localStorage }, { ...sessionStorage }]).match(secret), [b.key, b.secret]), null, 'the page keeps the key');
  },

  async 'test a function and see its log'(b) {
    await b.open('functions/orders/test');
    await b.page.getByLabel('Event as JSON').fill('{"order": 17}');
    await b.page.getByRole('button', { name: 'Test', exact: true }).click();
    await b.sees('Succeeded');
    await b.sees(/"orders": 1/, b.page.getByLabel('Answer', { exact: true }));
    await b.sees(/order 17/, b.page.getByLabel('Log tail'));
    await b.page.getByText('live', { exact: true }).waitFor();
    await b.page.getByLabel('Event as JSON').fill('{"order": 18}');
    await b.page.getByRole('button', { name: 'Test', exact: true }).click();
    await b.sees(/order 18/, b.page.getByRole('log'));
    await b.audit();
    await b.narrow();
  },

  async 'an event is saved and taken again'(b) {
    await b.page.getByRole('combobox', { name: 'Event' }).selectOption({ label: 's3 put' });
    equal(JSON.parse(await b.page.getByLabel('Event as JSON').inputValue()).Records[0].eventSource, 'aws:s3', 'the sample');
    await b.page.getByLabel('Event as JSON').fill('{"order": 99}');
    await b.page.getByLabel('Name of the event').fill('ninety-nine');
    await b.page.getByRole('button', { name: 'Save event' }).click();
    await b.page.reload();
    await b.page.waitForFunction(() => document.querySelector('textarea')?.value === '{"order": 99}');
  },

  async 'a read-only key sees and does not change'(b) {
    await b.page.getByRole('button', { name: 'Sign out' }).click();
    await b.signedIn('AKIAREADER', 'readersecretreadersecret');
    await b.open('functions/orders/test');
    await b.sees('read-only');
    equal(await b.page.getByRole('button', { name: 'Test', exact: true }).count(), 0, 'buttons to test');
    const refused = await b.page.evaluate(async () => (await fetch('-/call/lambda/2015-03-31/functions/orders/invocations', { method: 'POST', headers: { 'X-Hearth-Console': '1' }, body: '{}' })).status);
    equal(refused, 403, 'the status of a forbidden call');
    await b.page.getByRole('button', { name: 'Sign out' }).click();
    await b.signedIn();
  },

  async 'a server that starts again is found again'(b, { ask }) {
    await b.open('functions/orders/test');
    await b.sees('active');
    await ask('restart');
    // The session is gone with the server. The page says so, and comes back to its place.
    await b.page.getByRole('button', { name: 'Sign in' }).waitFor();
    await b.signedIn();
    await b.page.getByRole('heading', { level: 1, name: 'orders' }).waitFor();
  },
};
