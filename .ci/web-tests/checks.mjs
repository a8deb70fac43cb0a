// Counts checks, and waits for conditions.

/** How long to wait for anything that must happen, in milliseconds. Longer than any of it takes on a busy machine. */
export const DEADLINE = 60_000;

let passed = 0;

/** The number of checks that held. */
export const numberPassed = () => passed;

/** Counts a check that holds; otherwise fails with the evidence. */
export function check(what, holds, evidence = "") {
  if (!holds) {
    const shown = typeof evidence === "string" ? evidence : JSON.stringify(evidence, null, 1);
    throw new Error(`FAILED: ${what}\n--- evidence:\n${shown.slice(0, 8000)}`);
  }
  passed += 1;
  console.log(`ok  ${what}`);
}

/** Like `check`, for two values that must be equal as JSON. */
export function equal(what, found, expected) {
  const holds = JSON.stringify(found) === JSON.stringify(expected);
  check(what, holds, { found, expected });
}

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Waits until `holds` returns something true, and returns it. Fails after the deadline with `evidence()`. */
export async function eventually(what, holds, evidence = () => "", deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) {
      throw new Error(`FAILED: ${what}: not within ${deadline / 1000} s\n--- evidence:\n${String(await evidence()).slice(0, 8000)}`);
    }
    await sleep(30);
  }
}

/** A gate that something waits for until the test opens it. */
export function gate() {
  let open;
  const opened = new Promise((done) => (open = done));
  return { open, opened };
}
