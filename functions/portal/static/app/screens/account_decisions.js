// Decisions on accounts: shown at once, stored at once, one after the other for each row, and told when somebody else was
// first. What was stored can be taken back in the order it was done.

import { useRef, useState } from "../../vendor/htm-preact.js";
import { get, put, remove } from "../api.js";
import { toast } from "../toasts.js";
import { name as shownName } from "../format.js";
import { exclusionBody, isReviewDue } from "./exclude_dialog.js";

// A day of review that is over would be refused; what was said otherwise is said again.
const saidBefore = (decision) => ({ reason: decision.reason, owner: decision.owner || "", review_on: isReviewDue(decision) ? "" : decision.review_on || "" });

// `place(entry)` shows a row as it is now; `base` is where decisions of this kind are kept.
export function useDecisions(base, place) {
  const path = (entry) => `${base}/${encodeURIComponent(entry.vendor_account_id)}`;
  const [problem, setProblem] = useState(null);
  const done = useRef([]);
  const writes = useRef(new Map());

  // `send(version)` stores one decision; the version is the one that the decision before it on this row has led to.
  const carryOut = (entry, optimistic, send, { remember = true } = {}) => {
    const prior = writes.current.get(entry.vendor_account_id);
    setProblem(null);
    place({ ...entry, ...optimistic, conflict: undefined, isSaving: true });
    const mine = (async () => {
      const earlier = await prior;
      const before = earlier && earlier.version > entry.version ? earlier : entry;
      try {
        const stored = await send(before.version);
        if (remember) done.current.push({ before, after: stored });
        return isNewest() ? shown(stored) : stored;
      } catch (trouble) {
        if (trouble.status === 409) await toldWhoWasFirst(before, optimistic, send);
        else {
          setProblem(trouble);
          if (isNewest()) place(before);
        }
        return null;
      }
    })();
    const isNewest = () => writes.current.get(entry.vendor_account_id) === mine;
    writes.current.set(entry.vendor_account_id, mine);
    return mine;
  };

  const shown = (entry) => {
    place(entry);
    return entry;
  };

  const toldWhoWasFirst = async (before, mine, send) => {
    try {
      const theirs = await get(path(before));
      place({ ...theirs, conflict: { mine, send } });
      toast(`${shownName(before.vendor_account_name)} was changed by ${theirs.decision?.by || "somebody else"} meanwhile`, { tone: "bad" });
    } catch (trouble) {
      place(before);
      setProblem(trouble);
    }
  };

  const map = (entry, client, options) => carryOut(entry, { mapping: "mapped", psa_account_id: client.psa_account_id, psa_account_name: client.psa_account_name },
    (version) => put(path(entry), { psa_account_id: client.psa_account_id, version }), options);
  const exclude = (entry, said, options) => carryOut(entry, { mapping: "excluded", psa_account_id: null, psa_account_name: null },
    (version) => put(path(entry), { ...exclusionBody(said), version }), options);
  const clear = (entry, options) => carryOut(entry, { mapping: "unmapped", psa_account_id: null, psa_account_name: null },
    (version) => remove(path(entry), { version }), options);

  const undo = async () => {
    await Promise.all(writes.current.values());
    const last = done.current.pop();
    if (!last) return toast("There is nothing to undo", { tone: "act" });
    const { before, after } = last;
    const options = { remember: false };
    const stored = before.mapping === "mapped" ? await map(after, before, options)
      : before.mapping === "excluded" ? await exclude(after, saidBefore(before.decision), options)
      : await clear(after, options);
    return stored && toast(`Undone: ${shownName(before.vendor_account_name)}`);
  };

  const insist = (entry) => carryOut(entry, entry.conflict.mine, entry.conflict.send);
  const keep = (entry) => place({ ...entry, conflict: undefined });
  return { map, exclude, clear, undo, insist, keep, problem, clearProblem: () => setProblem(null) };
}
