/** What is wrong with a row; its number is added by whoever counts. */
export class RowError extends Error {
  constructor(
    /** Completes "row 7 …". */
    readonly problem: string,
    readonly accepted: string,
  ) {
    super(problem);
  }
}
