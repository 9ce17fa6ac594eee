/** How long the load lasts: `npm run test:load -- overload --seconds N` or `soak --minutes N`. */
export const loadSeconds = Number(process.env.LOAD_SECONDS);

/** Figures, for whoever reads; past jest, which would add where it was said. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);
