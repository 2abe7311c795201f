// A Store has one value, and tells who watches it of changes.
import { useState, useLayoutEffect } from '../vendor/hooks.mjs';

export class Store {
  constructor(value) {
    this.value = value;
    this.watchers = new Set();
  }

  set(value) {
    if (value === this.value) return;
    this.value = value;
    for (const watcher of [...this.watchers]) watcher(value);
  }

  // known is over when the value is not undefined.
  known() {
    if (this.value !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const watcher = (value) => {
        if (value === undefined) return;
        this.watchers.delete(watcher);
        resolve();
      };
      this.watchers.add(watcher);
    });
  }
}

export function useStore(store) {
  const [value, setValue] = useState(store.value);
  // At once, so that what comes before the browser draws is drawn with it.
  useLayoutEffect(() => {
    const watcher = (changed) => setValue(() => changed);
    store.watchers.add(watcher);
    watcher(store.value);
    return () => store.watchers.delete(watcher);
  }, [store]);
  return value;
}
