// How values are written.

// formatter writes times. The browser reads its tables when the first is written, not when the page starts.
export function formatter(options) {
  let made;
  return (time) => (made ??= new Intl.DateTimeFormat('en-GB', options)).format(time);
}

const clock = formatter({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = formatter({ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

export const millis = (time) => clock(time) + '.' + String(time % 1000).padStart(3, '0');
export const date = (time) => (time === undefined || Number.isNaN(+new Date(time)) ? '–' : day(new Date(time)));

// ago is how long ago a time is, roughly.
export function ago(time, now = Date.now()) {
  const seconds = Math.round((now - new Date(time)) / 1000);
  if (Number.isNaN(seconds)) return '–';
  const past = Math.abs(seconds);
  const text = past < 60 ? `${past} s` : past < 3600 ? `${Math.round(past / 60)} min` : past < 172800 ? `${Math.round(past / 3600)} h` : `${Math.round(past / 86400)} d`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

export function bytes(n) {
  if (n === undefined || n === null) return '–';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${n >= 100 || unit === 0 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

export function count(n) {
  if (n === undefined || n === null) return '–';
  if (n >= 1e6) return (n / 1e6).toFixed(1) + ' M';
  if (n >= 1e4) return (n / 1e3).toFixed(n >= 1e5 ? 0 : 1) + ' k';
  return Number.isInteger(n) ? String(n) : n.toFixed(n >= 10 ? 1 : 2);
}

export function duration(ms) {
  if (ms === undefined || ms === null) return '–';
  if (ms >= 60000) return (ms / 60000).toFixed(1) + ' min';
  if (ms >= 10000) return (ms / 1000).toFixed(1) + ' s';
  if (ms >= 1000) return (ms / 1000).toFixed(2) + ' s';
  return (ms >= 100 ? Math.round(ms) : ms.toFixed(1)) + ' ms';
}

// pretty is JSON with indents; other text as it is.
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
