// Events that are saved in this browser, for each function: a Map of texts by title.
const key = (name) => 'hearth.events.' + name;

export function savedEvents(name) {
  try {
    const events = JSON.parse(localStorage.getItem(key(name)) ?? '{}');
    return new Map(Object.entries(events).filter(([, text]) => typeof text === 'string'));
  } catch {
    return new Map();
  }
}

export function saveEvent(name, title, text) {
  const events = savedEvents(name);
  if (text === undefined) events.delete(title);
  else events.set(title, text);
  localStorage.setItem(key(name), JSON.stringify(Object.fromEntries(events)));
  return events;
}
