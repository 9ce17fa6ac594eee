import { type RunEvent, type RunEventName } from '#contracts/validation.js';
import { type RunEntity } from './run.entity.js';

type ToldRun = Omit<RunEvent, 'event_id' | 'event' | 'at' | 'progress'> & Pick<RunEntity, 'done_tests'>;

const idOf: Record<RunEventName, (run: ToldRun) => string> = {
  started: ({ run_id, attempt }) => `${run_id}:${attempt}:started`,
  progress: ({ run_id, attempt, done_tests }) => `${run_id}:${attempt}:${done_tests}`,
  finished: ({ run_id }) => `${run_id}:finished`,
};

/** What is told of a run. The id follows from what is told, so that the same thing told twice is known as the same. */
export function eventOf(run: ToldRun, event: RunEventName, at: string): RunEvent {
  return {
    event_id: idOf[event](run),
    event,
    at,
    run_id: run.run_id,
    model_id: run.model_id,
    trigger: run.trigger,
    attempt: run.attempt,
    status: run.status,
    progress: { done: run.done_tests, total: run.total_tests },
    total_tests: run.total_tests,
    passed_tests: run.passed_tests,
    failed_tests: run.failed_tests,
    error_tests: run.error_tests,
    regression_detected: run.regression_detected,
    regression_severity: run.regression_severity,
    reason: run.reason,
  };
}
