import { Instant, Json, type JsonValue, Text } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { request } from './request.js';

/** One change: who made it, when, why, and what it changed. Rows are only ever added. */
export class AuditEntry {
  @Text({ max: 36, description: 'UUID version 7: sorts by time.' })
  audit_id!: string;

  @Instant()
  at!: string;

  @Text({ max: 40, description: 'The key that asked, or `system` for a job of the suite.' })
  key_id!: string;

  @Text({ max: 100 })
  actor!: string;

  @Text({ max: 100 })
  request_id!: string;

  @Text({ max: 60, example: 'model.status_changed' })
  action!: string;

  @Text({ max: 20, example: 'model' })
  subject_type!: string;

  @Text({ max: 200 })
  subject_id!: string;

  @Text({ max: 1000, nullable: true })
  reason!: string | null;

  @Json({ max_bytes: 1_000_000, nullable: true, description: 'The thing before the change; null when it was created.' })
  before!: JsonValue;

  @Json({ max_bytes: 1_000_000, nullable: true, description: 'The thing after the change; null when it was removed.' })
  after!: JsonValue;
}

export class AuditFilter extends PageRequest {
  @Text({
    max: 200,
    optional: true,
    description:
      'Only changes of this model (its breaker too), flag, test case (its baselines too), key, policy, alert rule, alert, silence or webhook.',
  })
  subject_id?: string;

  @Text({ max: 40, optional: true, description: 'Only changes that this key made.' })
  key_id?: string;

  @Text({ max: 60, optional: true, description: 'Only changes of this kind.' })
  action?: string;
}

export class AuditPage extends pageOf(AuditEntry) {}

/** Each service keeps the audit of what it owns; the gateway merges them, newest first. */
export const listAuditOf = (service: 'registry' | 'metrics' | 'validation' | 'flags') =>
  request(`${service}.list_audit`, { input: AuditFilter, output: AuditPage });
