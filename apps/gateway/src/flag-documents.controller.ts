import { Controller, Get, Post } from '@nestjs/common';
import { AssignmentRequest, type AssignmentPreview, PresentAssignment, previewAssignment } from '#contracts/assignment-preview.js';
import { listEvaluators } from '#contracts/flag-evaluators.js';
import { FlagExport } from '#contracts/flag-export.js';
import { FlagImport, importFlags, type ImportReport } from '#contracts/flag-import.js';
import { type Flag, listFlags } from '#contracts/flags.js';
import { type Page } from '#contracts/page.js';
import { NoInput } from '#contracts/request.js';
import { flagdDocument } from '#evaluation/flagd-document.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { Ages, type SayAge } from './ages.decorator.js';
import { By } from './by.decorator.js';
import { KnownFlags } from './known-flags.store.js';
import { Input, Serves } from './serves.decorator.js';

/** Flags as documents of other systems, and what a change of a split would do. */
@Controller()
export class FlagDocumentsController {
  constructor(
    private readonly bus: Bus,
    private readonly known: KnownFlags,
  ) {}

  @Post('flags/import')
  @Serves({ ...importFlags, role: 'releaser', from: 'body', summary: 'Take over the flags of another system' })
  async importFlags(@Input() input: FlagImport, @By() caller: Caller): Promise<ImportReport> {
    const report = await this.bus.ask(importFlags, input, caller);
    if (!report.dry_run) await this.learnAll(caller);
    return report;
  }

  @Get('flag-export')
  @Serves({ input: NoInput, output: FlagExport, role: 'viewer', from: 'query', summary: 'All flags as a flagd definition file' })
  async exportFlags(@Input() _: NoInput, @Ages() say: SayAge, @By() { actor }: Caller): Promise<FlagExport> {
    say(this.known.flags);
    const flags = this.known.all(actor.scope).flags.map(({ flag }) => flag);
    const { document, lost } = flagdDocument(flags, this.known.allEvaluators());
    return { document: { ...document }, lost };
  }

  @Get('flags/:flag_key/assignment-preview')
  @Serves({
    ...{ input: PresentAssignment, output: previewAssignment.output, role: 'viewer', path: ['flag_key'], from: 'query' },
    summary: 'How a flag’s present split falls out over a sample',
  })
  presentAssignment(@Input() input: PresentAssignment, @By() caller: Caller): Promise<AssignmentPreview> {
    return this.bus.ask(previewAssignment, input, caller);
  }

  @Post('flags/:flag_key/assignment-preview')
  @Serves({ ...previewAssignment, role: 'viewer', path: ['flag_key'], from: 'body', summary: 'Who would move to another variant' })
  previewAssignment(@Input() input: AssignmentRequest, @By() caller: Caller): Promise<AssignmentPreview> {
    return this.bus.ask(previewAssignment, input, caller);
  }

  /** So that the next answer has what was imported. */
  private async learnAll(caller: Caller): Promise<void> {
    let cursor: string | null | undefined;
    do {
      const page: Page<Flag> = await this.bus.ask(listFlags, { limit: 1_000, ...(cursor && { cursor }) }, caller);
      for (const flag of page.items) this.known.learn(flag);
      cursor = page.next_cursor;
    } while (cursor !== null);
    for (const evaluator of (await this.bus.ask(listEvaluators, {}, caller)).evaluators) this.known.evaluators.learn(evaluator);
  }
}
