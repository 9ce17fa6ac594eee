/**
 * Long work that may be left off between its steps, each of which takes a few milliseconds at most: whoever runs it decides how long to go on
 * at a time.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Runs the work to its end without a break. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
