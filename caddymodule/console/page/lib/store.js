// A Store has one value, and tells who watches it of changes.
import { useState, useEffect } from '../vendor/hooks.mjs';

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
}

export function useStore(store) {
  const [value, setValue] = useState(store.value);
  useEffect(() => {
    const watcher = (changed) => setValue(() => changed);
    store.watchers.add(watcher);
    watcher(store.value);
    return () => store.watchers.delete(watcher);
  }, [store]);
  return value;
}
