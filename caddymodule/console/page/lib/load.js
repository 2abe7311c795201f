// Loading: what a screen shows, and again when it is old.
import { useState, useEffect, useRef, useCallback } from '../vendor/hooks.mjs';

const again = 2000; // ms until a server that is away is asked again

// useLoad calls load(signal) when one of the keys changes, every so many ms, and when reload is
// called. The data before stays while newer is loaded, and when the server is away.
export function useLoad(load, keys, { every = 0 } = {}) {
  const [state, setState] = useState({ loading: true });
  const [turn, setTurn] = useState(0);
  const current = useRef('');
  useEffect(() => {
    const abort = new AbortController();
    const key = JSON.stringify(keys);
    let timer;
    if (current.current !== key) {
      current.current = key;
      setState({ loading: true });
    }
    async function run() {
      let next = every;
      try {
        const data = await load(abort.signal);
        if (abort.signal.aborted) return;
        setState({ data });
      } catch (error) {
        if (abort.signal.aborted) return;
        if (error.status === 0) next = again;
        else if (error.status === undefined) console.error(error);
        setState((before) => ({ data: before.data, error: error.status === 0 && before.data !== undefined ? undefined : error }));
      }
      if (next) timer = setTimeout(run, document.hidden ? Math.max(next, 10000) : next);
    }
    run();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [...keys, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  return { ...state, reload };
}

// useAction has a button that does something: run(), whether it runs, its error and its result.
export function useAction(action) {
  const [state, setState] = useState({});
  const alive = useRef(true);
  useEffect(() => {
    alive.current = true;
    return () => { alive.current = false; };
  }, []);
  async function run(...given) {
    setState({ busy: true });
    try {
      const done = await action(...given);
      if (alive.current) setState({ done: done ?? true });
      return done;
    } catch (error) {
      if (error.status === undefined && error.name !== 'AbortError') console.error(error);
      if (alive.current) setState({ error });
      return undefined;
    }
  }
  return { ...state, run, clear: () => setState({}) };
}
