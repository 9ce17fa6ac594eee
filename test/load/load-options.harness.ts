/** How long the load lasts: `npm run test:load -- overload --seconds N` or `soak --minutes N`. */
export const loadSeconds = Number(process.env.LOAD_SECONDS);

/** Requests a second of a soak; well below what two cores can answer, and far above what one client asks. */
export const loadRate = Number(process.env.LOAD_RATE ?? 100);

/** Figures, for whoever reads; past Vitest, which would add where it was said. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);
