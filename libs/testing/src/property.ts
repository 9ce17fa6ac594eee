import fc from 'fast-check';

/** The same cases at each run, so that what fails a test is the change. `PROPERTY_SEED=<number> PROPERTY_RUNS=<number>` looks further. */
fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED ?? 1), numRuns: Number(process.env.PROPERTY_RUNS ?? 100) });

export { fc };
