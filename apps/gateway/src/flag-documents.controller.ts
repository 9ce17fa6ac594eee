import { Controller, Get, Post } from '@nestjs/common';
import { AssignmentRequest, type AssignmentPreview, PresentAssignment, previewAssignment } from '#contracts/assignment-preview.js';
import { listEvaluators } from '#contracts/flag-evaluators.js';
import { FlagExport } from '#contracts/flag-export.js';
import { FlagImport, importFlags, type ImportReport } from '#contracts/flag-import.js';
import { type Flag, listFlags } from '#contracts/flags.js';
import { NoInput } from '#contracts/request.js';
import { flagdDocument } from '#evaluation/flagd-document.js';
import { Bus } from '#runtime/bus.js';
import { Input, Serves } from './serves.decorator.js';

/** Flags as documents of other systems, and what a change of a split would do. */
@Controller()
export class FlagDocumentsController {
  constructor(private readonly bus: Bus) {}

  @Post('flags/import')
  @Serves({ ...importFlags, role: 'releaser', from: 'body', summary: 'Take over the flags of another system' })
  importFlags(@Input() input: FlagImport): Promise<ImportReport> {
    return this.bus.ask(importFlags, input);
  }

  @Get('flag-export')
  @Serves({ input: NoInput, output: FlagExport, role: 'viewer', from: 'query', summary: 'All flags as a flagd definition file' })
  async exportFlags(@Input() _: NoInput): Promise<FlagExport> {
    const flags: Flag[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await this.bus.ask(listFlags, { limit: 1_000, ...(cursor && { cursor }) });
      flags.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null);
    const { evaluators } = await this.bus.ask(listEvaluators, {});
    const { document, lost } = flagdDocument(flags, evaluators);
    return { document: { ...document }, lost };
  }

  @Get('flags/:flag_key/assignment-preview')
  @Serves({
    ...{ input: PresentAssignment, output: previewAssignment.output, role: 'viewer', path: ['flag_key'], from: 'query' },
    summary: 'How a flag’s present split falls out over a sample',
  })
  presentAssignment(@Input() input: PresentAssignment): Promise<AssignmentPreview> {
    return this.bus.ask(previewAssignment, input);
  }

  @Post('flags/:flag_key/assignment-preview')
  @Serves({ ...previewAssignment, role: 'viewer', path: ['flag_key'], from: 'body', summary: 'Who would move to another variant' })
  previewAssignment(@Input() input: AssignmentRequest): Promise<AssignmentPreview> {
    return this.bus.ask(previewAssignment, input);
  }
}
