// The functions, which several screens need: read page by page, and kept.
import { lambda } from './api.js';
import { Store, useStore } from './store.js';
import { useEffect } from './html.js';

export const functions = new Store({ list: [], complete: false });

let reading;

// read reads all functions. Screens see each page as it comes; those of before stay until all are read.
export function read() {
  reading ??= (async () => {
    const first = !functions.value.complete;
    try {
      const list = [];
      let marker;
      do {
        const page = await lambda('GET', '/2015-03-31/functions/', { query: { Marker: marker, MaxItems: 10000 } });
        list.push(...page.Functions);
        marker = page.NextMarker;
        if (first) functions.set({ list: [...list], complete: !marker });
      } while (marker);
      functions.set({ list, complete: true });
    } catch (error) {
      functions.set({ ...functions.value, error });
      if (error.status === undefined) throw error;
    } finally {
      reading = undefined;
    }
  })();
  return reading;
}

export function useFunctions() {
  useEffect(() => {
    read();
    const timer = setInterval(() => { if (!document.hidden) read(); }, 15000);
    return () => clearInterval(timer);
  }, []);
  return useStore(functions);
}
