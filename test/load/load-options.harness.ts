/** `npm run test:load -- overload --seconds N` and `soak --minutes N` set how long a load lasts; without it each test's own short time. */
export const loadSeconds = (short: number): number => Number(process.env.LOAD_SECONDS ?? short);

/** Not in `npm test`, beside whose other tests nobody can answer as fast as alone. */
export const isAlone = process.env.LOAD_SECONDS !== undefined;

/** Figures, for whoever reads; past jest, which would add where it was said. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);
