// Live tail: what functions log from now on, by StartLiveTail.
import { logs, target, Refusal } from './api.js';
import { messages } from './eventstream.js';

const pause = 1500; // ms between attempts

const wait = (signal, ms) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

const recent = 5 * 60 * 1000; // ms of the past that a tail begins with
const mostPast = 200; // events of it

// past is what groups logged since a time, until now.
async function past(groups, pattern, since, signal) {
  const all = await Promise.all(groups.map(async (group) => {
    const events = [];
    let nextToken;
    for (let page = 0; page < 5; page++) {
      const answer = await logs('FilterLogEvents', { logGroupName: group, startTime: since, filterPattern: pattern || undefined, nextToken }, signal);
      events.push(...answer.events.map((event) => ({ ...event, logGroupIdentifier: group })));
      nextToken = answer.nextToken;
      if (!nextToken) break;
    }
    return events;
  }));
  return all.flat().sort((a, b) => a.timestamp - b.timestamp).slice(-mostPast);
}

const identity = (event) => `${event.timestamp} ${event.logStreamName} ${event.message}`;

// follow calls onEvents with the events of log groups until the signal aborts, and onState with
// 'on', 'waiting' (for a group that is not there yet) or 'away'. An error that cannot pass ends it.
export async function follow({ groups, pattern = '', signal, onEvents, onState }) {
  let since = Date.now() - recent;
  const seen = new Set(); // what came last, so that the past before a session brings none of it again
  const take = (events, sampled) => {
    for (const event of events) {
      seen.add(identity(event));
      since = Math.max(since, event.timestamp);
    }
    for (const old of seen) {
      if (seen.size <= 4 * mostPast) break;
      seen.delete(old);
    }
    if (events.length) onEvents(events, sampled);
  };
  while (!signal.aborted) {
    try {
      const response = await target('logs', 'Logs_20140328', 'StartLiveTail', { logGroupIdentifiers: groups, logEventFilterPattern: pattern }, signal);
      for await (const message of messages(response)) {
        if (message.headers[':message-type'] === 'exception') break; // the session's time is over, or the server ends
        if (message.headers[':event-type'] === 'sessionStart') {
          const missed = await past(groups, pattern, since, signal);
          take(missed.filter((event) => !seen.has(identity(event))), false);
          onState('on');
        }
        if (message.headers[':event-type'] !== 'sessionUpdate') continue;
        const update = JSON.parse(message.text);
        take(update.sessionResults.filter((event) => !seen.has(identity(event))), update.sessionMetadata.sampled);
      }
    } catch (error) {
      if (signal.aborted) return;
      const passes = !(error instanceof Refusal) || error.status === 0 || error.status >= 500;
      if (error.code === 'ResourceNotFoundException') onState('waiting');
      else if (passes) onState('away');
      else throw error;
    }
    await wait(signal, pause);
  }
}
