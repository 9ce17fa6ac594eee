import { Controller } from '@nestjs/common';
import { type AuditEntry, type AuditFilter, listAuditOf } from '#contracts/audit.js';
import { type Page } from '#contracts/page.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';

@Controller()
export class AuditHandlers {
  constructor(private readonly audit: AuditStore) {}

  @Answers(listAuditOf('metrics'))
  async listAudit(filter: AuditFilter): Promise<Page<AuditEntry>> {
    return this.audit.list(filter);
  }
}
