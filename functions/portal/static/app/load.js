// Reading what a screen shows: loading, there, or a problem; read again when something has changed.

import { useCallback, useEffect, useRef, useState } from "../vendor/htm-preact.js";

// `read({onPart, isCurrent})` gives the value; `onPart` may show a part of it before all of it is there.
export function useLoad(read, inputs) {
  const [state, setState] = useState({ value: null, problem: null, isLoading: true });
  const turn = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++turn.current;
    const isCurrent = () => turn.current === mine;
    const onPart = (value) => isCurrent() && setState({ value, problem: null, isLoading: true });
    setState((now) => ({ ...now, isLoading: true }));
    try {
      const value = await read({ onPart, isCurrent });
      if (isCurrent()) setState({ value, problem: null, isLoading: false });
    } catch (problem) {
      if (isCurrent()) setState((now) => ({ ...now, problem, isLoading: false }));
    }
  }, inputs);
  useEffect(() => {
    reload();
    return () => { turn.current += 1; };
  }, [reload]);
  return { ...state, reload, setValue: (value) => setState((now) => ({ ...now, value: typeof value === "function" ? value(now.value) : value })) };
}

// A write that a person asked for: whether it is under way, and what went wrong.
export function useWrite() {
  const [state, setState] = useState({ isBusy: false, problem: null });
  const isHere = useRef(true);
  useEffect(() => () => { isHere.current = false; }, []);
  const run = useCallback(async (work) => {
    setState({ isBusy: true, problem: null });
    try {
      const value = await work();
      if (isHere.current) setState({ isBusy: false, problem: null });
      return value;
    } catch (problem) {
      if (isHere.current) setState({ isBusy: false, problem });
      return undefined;
    }
  }, []);
  return { ...state, run, clear: () => setState({ isBusy: false, problem: null }) };
}
