/** The 5,366 requests of the trace that the model has not seen, as NDJSON: `{"context_tokens", "long"}` a line. */
export function heldOutRows(): string;
