// The functions, which several screens need: read page by page, and kept.
import { lambda, session } from './api.js';
import { Store, useStore } from './store.js';
import { useEffect } from './html.js';

export const functions = new Store({ list: [], complete: false });

const least = 15000; // ms between two readings
const showEvery = 250; // ms between two times that screens see more, while all are read the first time

// What the page keeps of a function. There may be thousands.
const summary = ({ FunctionName, Runtime, PackageType, Handler, Description, LastModified }) => ({ FunctionName, Runtime, PackageType, Handler, Description, LastModified });

// painted is over when the browser has drawn what was set, or does not draw: the page is hidden.
async function painted() {
  await session.known();
  await new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 300);
  });
}

let told;
// begun is over when the first page is there, or is not to be had.
export const begun = new Promise((resolve) => { told = resolve; });

let reading;
let took = 0; // ms that the last reading took

// read reads all functions. Screens see the first page at once, then more and more; those of before
// stay until all are read.
export function read() {
  reading ??= (async () => {
    const first = !functions.value.complete;
    const from = performance.now();
    try {
      const list = [];
      let marker;
      let shown; // when screens saw more
      do {
        const page = await lambda('GET', '/2015-03-31/functions/', { query: { Marker: marker, MaxItems: 10000 } });
        for (const f of page.Functions) list.push(summary(f));
        marker = page.NextMarker;
        if (!first || !marker || shown !== undefined && performance.now() - shown < showEvery) continue;
        functions.set({ list: [...list], complete: false });
        told();
        if (shown === undefined) await painted();
        shown = performance.now();
      } while (marker);
      functions.set({ list, complete: true });
    } catch (error) {
      functions.set({ ...functions.value, error });
      if (error.status === undefined) throw error;
    } finally {
      told();
      reading = undefined;
      took = performance.now() - from;
    }
  })();
  return reading;
}

export function useFunctions() {
  useEffect(() => {
    let timer;
    // Many functions are read less often: the page is idle for 19 parts of 20.
    const next = () => { timer = setTimeout(() => { (document.hidden ? Promise.resolve() : read()).finally(next); }, Math.max(least, 20 * took)); };
    read().finally(next);
    return () => clearTimeout(timer);
  }, []);
  return useStore(functions);
}
