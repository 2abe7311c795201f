// Results of queries as lines of a graph.
const most = 2000; // points of a line

// time reads what bin() and @timestamp are written as, in UTC.
const time = (text) => (/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/.test(text ?? '') ? Date.parse(text.replace(' ', 'T') + 'Z') : NaN);

const number = (text) => (text === undefined || text.trim() === '' ? NaN : Number(text));

// byTime is {from, period, lines} of rows that have one time, of bin(), and else numbers only; undefined
// if they have not.
export function byTime(rows, columns) {
  const at = columns.find((name) => /^bin\(/.test(name)) ?? columns.find((name) => name !== '@timestamp' && rows.every((row) => !Number.isNaN(time(row.find((f) => f.field === name)?.value))));
  if (!at || rows.length < 2 || columns.length < 2) return undefined;
  const points = new Map();
  for (const row of rows) {
    const values = new Map(row.map((f) => [f.field, f.value]));
    const moment = time(values.get(at));
    if (Number.isNaN(moment) || points.has(moment)) return undefined; // it is grouped by something else, too
    points.set(moment, values);
  }
  const times = [...points.keys()].sort((a, b) => a - b);
  const period = Math.min(...times.slice(1).map((t, n) => t - times[n]));
  const slots = (times.at(-1) - times[0]) / period + 1;
  if (slots > most) return undefined;
  const lines = columns.filter((name) => name !== at).map((title) => {
    const values = new Array(Math.round(slots)).fill(null);
    for (const [moment, row] of points) values[Math.round((moment - times[0]) / period)] = number(row.get(title));
    return { title, values: values.map((v) => (Number.isNaN(v) ? null : v)), numbers: [...points.values()].every((row) => !row.has(title) || !Number.isNaN(number(row.get(title)))) };
  });
  return lines.every((line) => line.numbers) ? { from: times[0], period, lines } : undefined;
}
