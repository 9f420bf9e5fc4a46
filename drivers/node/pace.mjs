/** Waiting for a moment. Moments are in milliseconds, as `performance.now()` counts them. */

import { setImmediate as letOthersGoOn, setTimeout as sleep } from "node:timers/promises";

/** Timers count whole milliseconds and fire late. Nearer than this an operation is not slept for. */
const TIMER_PRECISION = 2;

/** Nobody sleeps longer than this without looking whether another worker has failed. */
const LONGEST_SLEEP = 100;

/** Resolves at this moment, or earlier if a worker of the phase has failed. */
export async function until(moment, phase) {
  for (;;) {
    const wait = moment - performance.now();
    if (wait <= 0 || phase.failure) return;
    if (wait > TIMER_PRECISION) await sleep(Math.min(wait - TIMER_PRECISION, LONGEST_SLEEP));
    else await letOthersGoOn();
  }
}
