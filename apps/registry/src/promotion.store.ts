import { type EntityManager } from 'typeorm';
import { AppError } from '#contracts/errors.js';
import { type ModelEntity } from './model.entity.js';

/**
 * Refuses to replace a stable version that became stable while this transaction was waiting for its lock: whoever asked did not know of it.
 * Of two racing promotions one wins and the other hears so. `now()` is when the transaction began, an audit row's `at` when it was written.
 */
export async function assertNoNewerPromotion(manager: EntityManager, stable: ModelEntity): Promise<void> {
  const newer = await manager.query<unknown[]>(
    `SELECT 1 FROM registry.audit WHERE subject_id = $1 AND action = 'model.status_changed' AND after->>'status' = 'stable' AND at > now() LIMIT 1`,
    [stable.model_id],
  );
  if (newer.length === 0) return;
  throw new AppError(
    'STATUS_CHANGE_CONFLICT',
    `Version ${stable.version} became stable while this request was under way; look again before replacing it`,
    {
      stable_model_id: stable.model_id,
      stable_version: stable.version,
    },
  );
}
