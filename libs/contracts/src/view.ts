/**
 * The current state of one kind of thing, published by the service that owns it and followed by whoever needs it without asking: one
 * key per thing in a NATS KV bucket. A removed thing leaves a delete marker, so that a follower that was down learns of the removal.
 */
export interface ViewContract<Record extends object> {
  readonly bucket: string;
  readonly keyOf: (record: Record) => string;
}

export function view<Record extends object>(bucket: string, keyOf: (record: Record) => string): ViewContract<Record> {
  return { bucket: `emr_${bucket}`, keyOf };
}

/**
 * The key that an owner puts last when it fills an empty bucket: a snapshot without it is not whole yet. It is put anew once a second while the
 * owner has nothing more to tell.
 */
export const completeMarker = '_complete';
