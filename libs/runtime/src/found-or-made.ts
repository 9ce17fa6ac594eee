import { JetStreamApiError } from '@nats-io/jetstream';

const notFound = 404;

/** A stream or a consumer as it is, or made where there is none. */
export async function foundOrMade<Info>(look: Promise<Info>, make: () => Promise<Info>): Promise<Info> {
  try {
    return await look;
  } catch (error) {
    const absent =
      error instanceof JetStreamApiError ? error.status === notFound : error instanceof Error && /not found/.test(error.message);
    if (!absent) throw error;
    return make();
  }
}
