/**
 * The contract of docs/events.md. The suite has the same in libs/contracts, which this package cannot import: it is installed alone. A spec
 * holds the two together.
 */
export const inferenceSubject = 'emr.ev.inference';
export const producerHeader = 'Emr-Producer';
export const sequenceHeader = 'Emr-Seq';
/** Events of one message. */
export const maxEvents = 500;
/** Bytes of one message. The metrics service reads eight times as much. */
export const maxMessageBytes = 64 * 1024;
