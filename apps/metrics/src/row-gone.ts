/** A row that this transaction, or one before it, has found is gone: removed with its model, or pruned. Worth another try. */
export class RowGone extends Error {
  override name = 'RowGone';
}
