// Metrics over time, by CloudWatch's API.
import { json, target } from './api.js';

const most = 500; // queries of one call, as at AWS
const namespaces = { ColdStarts: 'Hearth', InitDuration: 'Hearth', MaxMemoryUsed: 'Hearth' };

// series reads series of points for queries of {name, metric, stat}: each an array with a value, or
// null, for each period between two times.
export async function series(queries, { start, end, period }, signal) {
  const from = Math.floor(start / 1000 / period) * period;
  const count = Math.ceil((end / 1000 - from) / period);
  const all = [];
  for (let at = 0; at < queries.length; at += most) {
    const part = queries.slice(at, at + most);
    const results = {};
    let NextToken;
    do {
      const answer = await json(target('monitoring', 'GraniteServiceVersion20100801', 'GetMetricData', {
        StartTime: from, EndTime: from + count * period, ScanBy: 'TimestampAscending', NextToken,
        MetricDataQueries: part.map((q, n) => ({ Id: 'q' + n, MetricStat: { Period: period, Stat: q.stat, Metric: { Namespace: namespaces[q.metric] ?? 'AWS/Lambda', MetricName: q.metric, Dimensions: q.name ? [{ Name: 'FunctionName', Value: q.name }] : [] } } })),
      }, signal));
      for (const result of answer.MetricDataResults) {
        results[result.Id] ??= [];
        result.Timestamps.forEach((time, n) => results[result.Id].push([typeof time === 'number' ? time : Date.parse(time) / 1000, result.Values[n]]));
      }
      NextToken = answer.NextToken;
    } while (NextToken);
    part.forEach((q, n) => {
      const values = new Array(count).fill(null);
      for (const [time, value] of results['q' + n] ?? []) {
        const slot = Math.floor((time - from) / period);
        if (slot >= 0 && slot < count) values[slot] = value;
      }
      all.push(values);
    });
  }
  return { from: from * 1000, period: period * 1000, series: all };
}

export const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);
