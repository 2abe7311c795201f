// Graphs, as SVG.
import { html, useLayoutEffect, useRef, useState } from './html.js';
import { formatter } from './format.js';

// Spark is a small graph of values without axes.
export function Spark({ values, kind = '', zero = true }) {
  const top = Math.max(...values.map((v) => v ?? 0));
  if (!(top > 0)) return html`<svg viewBox="0 0 64 22" aria-hidden="true"></svg>`;
  const step = 64 / Math.max(1, values.length - 1);
  const points = values.map((v, n) => [n * step, 21 - ((v ?? 0) / top) * 20, v]);
  const line = zero ? points : points.filter((p) => p[2] !== null);
  if (line.length < 2) return html`<svg viewBox="0 0 64 22" aria-hidden="true"></svg>`;
  const path = line.map(([x, y], n) => `${n ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
  return html`<svg viewBox="0 0 64 22" aria-hidden="true" class=${kind}><path class="area" d=${`${path}L${line.at(-1)[0].toFixed(1)} 22L${line[0][0].toFixed(1)} 22Z`} /><path d=${path} /></svg>`;
}

// nice is a round number that is at least n.
function nice(n) {
  if (!(n > 0)) return 1;
  const ten = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 2.5, 5, 10].map((f) => f * ten).find((f) => f >= n * 0.999);
}

const clock = formatter({ hour: '2-digit', minute: '2-digit' });
const days = formatter({ day: 'numeric', month: 'short' });
const both = formatter({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

const height = 150;
const left = 46;
const bottom = 20;

// Graph draws lines: [{title, values, kind}] over one time. onPick gets the begin and end of a point that
// is clicked, or chosen by the arrow keys and Enter.
export function Graph({ title, lines, data, format, onPick, bars }) {
  const [at, setAt] = useState();
  const svg = useRef();
  const [width, setWidth] = useState(460);
  useLayoutEffect(() => {
    const measure = () => setWidth(svg.current?.clientWidth || 460);
    measure();
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  }, []);
  const count = lines[0]?.values.length ?? 0;
  const top = nice(Math.max(0, ...lines.flatMap((l) => l.values.map((v) => v ?? 0))));
  const x = (n) => left + ((n + (bars ? 0.5 : 0)) / Math.max(1, count - (bars ? 0 : 1))) * (width - left - 4);
  const y = (v) => 6 + (1 - v / top) * (height - bottom - 6);
  const time = (n) => data.from + n * data.period;
  const long = count * data.period > 36 * 3600e3;
  const pick = (n) => n !== undefined && onPick?.(time(n), time(n) + data.period);
  const point = (event) => {
    const box = svg.current.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width) * width;
    return Math.max(0, Math.min(count - 1, Math.round(((share - left) / (width - left - 4)) * (count - (bars ? 0 : 1)) - (bars ? 0.5 : 0))));
  };
  const key = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move) setAt(Math.max(0, Math.min(count - 1, (at ?? count) + move)));
    else if (event.key === 'Enter') pick(at);
    else return;
    event.preventDefault();
  };
  const says = at === undefined ? '' : `${both(time(at))}: ` + lines.map((l) => `${l.title} ${l.values[at] === null ? 'none' : format(l.values[at])}`).join(', ');
  const none = lines.every((l) => l.values.every((v) => v === null));
  const thick = Math.max(1, (width - left - 4) / count - 1);
  return html`<figure class="panel graph"><figcaption><h2>${title}</h2><span class="legend">${lines.map((l) => html`<span class=${'k' + l.kind}>${l.title}${at !== undefined ? html` <strong class="num">${l.values[at] === null ? '–' : format(l.values[at])}</strong>` : null}</span>`)}</span></figcaption>
    <svg ref=${svg} viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" role="application" tabindex="0" aria-label=${`${title}. Arrow keys choose a time, Enter shows its log.`} onPointerMove=${(e) => setAt(point(e))} onPointerLeave=${() => setAt(undefined)} onClick=${(e) => pick(point(e))} onKeyDown=${key} onBlur=${() => setAt(undefined)}>
      ${[0, 0.5, 1].map((part) => html`<line class="grid" x1=${left} x2=${width} y1=${y(top * part)} y2=${y(top * part)} /><text x=${left - 6} y=${y(top * part) + 4} text-anchor="end">${format(top * part)}</text>`)}
      ${[0, 0.5, 1].map((part) => html`<text x=${left + part * (width - left - 4)} y=${height - 4} text-anchor=${part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}>${(long ? days : clock)(data.from + part * count * data.period)}</text>`)}
      ${bars ? lines.map((l) => l.values.map((v, n) => (v ? html`<rect class=${'bars c' + l.kind} x=${x(n) - thick / 2} width=${thick} y=${y(v)} height=${Math.max(1, y(0) - y(v))} />` : null)))
        : lines.map((l) => html`<path class=${'c' + l.kind} d=${pathOf(l.values, x, y)} />${l.values.map((v, n) => (isAlone(l.values, n) ? html`<circle class=${'dot c' + l.kind} cx=${x(n)} cy=${y(v)} r="2.5" />` : null))}`)}
      ${at !== undefined ? html`<line class="cursor" x1=${x(at)} x2=${x(at)} y1="6" y2=${height - bottom} />` : null}
    </svg>
    <p class="small dim time" aria-live="polite">${at !== undefined ? both(time(at)) : none ? 'no calls in this time' : ' '}<span class="visually-hidden">${says}</span></p></figure>`;
}

const isAlone = (values, n) => values[n] !== null && (values[n - 1] ?? null) === null && (values[n + 1] ?? null) === null;

// A line breaks where there is no value; a value without neighbours is a dot.
function pathOf(values, x, y) {
  let path = '';
  let pen = false;
  values.forEach((v, n) => {
    if (v === null) {
      pen = false;
      return;
    }
    path += `${pen ? 'L' : 'M'}${x(n).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = true;
  });
  return path;
}
