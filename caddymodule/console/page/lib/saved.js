// Events that are saved in this browser, for each function.
const key = (name) => 'hearth.events.' + name;

export function savedEvents(name) {
  try {
    const events = JSON.parse(localStorage.getItem(key(name)) ?? '{}');
    return Object.fromEntries(Object.entries(events).filter(([, text]) => typeof text === 'string'));
  } catch {
    return {};
  }
}

export function saveEvent(name, title, text) {
  const events = savedEvents(name);
  if (text === undefined) delete events[title];
  else events[title] = text;
  localStorage.setItem(key(name), JSON.stringify(events));
  return events;
}
