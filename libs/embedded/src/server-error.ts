/** A server that cannot be started for a reason a person can mend: the message is meant for the terminal and says what to do. */
export class ServerError extends Error {
  override name = 'ServerError';
}
