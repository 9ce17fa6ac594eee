/** As many passed runs are looked through for one that judged a case: not each run judges all cases. */
const runsBack = 20;

interface Queries {
  query(sql: string, parameters: unknown[]): Promise<unknown>;
}

/**
 * Makes the latest passed runs of a stable version the baselines of its name, case by case; pinned ones and later runs stay. Cases that were
 * removed have none. Doing it again changes nothing.
 */
export async function followStable(database: Queries, { model_id, name }: { model_id: string; name: string }): Promise<void> {
  await database.query(
    `INSERT INTO validation.baselines
       (name, test_case_id, type, revision, data_set_id, run_id, model_id, run_started_at, stored_at, measured)
     SELECT DISTINCT ON (result->>'test_case_id')
       $1, result->>'test_case_id', coalesce(result->>'type', 'unit'), coalesce((result->>'revision')::integer, 1),
       result->'rows_judged'->>'data_set_id', run.run_id, run.model_id, run.started_at, now(), result->'measured'
     FROM (
       SELECT run_id, model_id, started_at, results FROM validation.runs
       WHERE model_id = $2 AND status = 'passed' ORDER BY started_at DESC LIMIT ${runsBack}
     ) run
     CROSS JOIN jsonb_array_elements(run.results) result
     JOIN validation.test_cases ON test_cases.test_case_id = result->>'test_case_id'
     ORDER BY result->>'test_case_id', run.started_at DESC
     ON CONFLICT (name, test_case_id) DO UPDATE SET
       type = EXCLUDED.type, revision = EXCLUDED.revision, data_set_id = EXCLUDED.data_set_id, run_id = EXCLUDED.run_id,
       model_id = EXCLUDED.model_id, run_started_at = EXCLUDED.run_started_at, stored_at = EXCLUDED.stored_at, measured = EXCLUDED.measured
     WHERE baselines.pinned_at IS NULL
       AND (baselines.model_id <> EXCLUDED.model_id OR baselines.run_started_at < EXCLUDED.run_started_at)`,
    [name, model_id],
  );
}
