// The place in the page, which is in the address after #: /functions/NAME/test?event=s3
import { Store } from './store.js';

function parse() {
  const [path, search = ''] = location.hash.replace(/^#/, '').split('?', 2);
  const parts = path.split('/').filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { parts: parts.length ? parts : ['functions'], query: Object.fromEntries(new URLSearchParams(search)) };
}

export const place = new Store(parse());

addEventListener('hashchange', () => place.set(parse()));

// to is the address of a place.
export function to(parts, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, value);
  }
  return '#/' + parts.map(encodeURIComponent).join('/') + (search.size ? '?' + search : '');
}

export function go(parts, query) {
  location.hash = to(parts, query);
}
