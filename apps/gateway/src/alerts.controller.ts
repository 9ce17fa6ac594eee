import { Controller, Delete, Get, Patch, Post } from '@nestjs/common';
import {
  acknowledgeAlert,
  type Alert,
  AlertAcknowledgement,
  AlertFilter,
  type AlertRule,
  AlertRuleChange,
  AlertRuleFilter,
  AlertRuleRef,
  AlertRuleRemoval,
  changeAlertRule,
  createAlertRule,
  createSilence,
  getAlertRule,
  listAlertRules,
  listAlerts,
  listSilences,
  NewAlertRule,
  NewSilence,
  removeAlertRule,
  removeSilence,
  type Silence,
  SilenceFilter,
  SilenceRef,
} from '#contracts/alerts.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { Input, Serves } from './serves.decorator.js';

@Controller('alerts')
export class AlertsController {
  constructor(private readonly bus: Bus) {}

  @Get()
  @Serves({ ...listAlerts, role: 'viewer', from: 'query', summary: 'Alerts that fire or did, the newest first' })
  listAlerts(@Input() input: AlertFilter, @By() caller: Caller): Promise<Page<Alert>> {
    return this.bus.ask(listAlerts, input, caller);
  }

  @Post(':alert_id/acknowledge')
  @Serves({ ...acknowledgeAlert, role: 'editor', path: ['alert_id'], from: 'body', summary: 'Say that somebody sees to a firing alert' })
  acknowledgeAlert(@Input() input: AlertAcknowledgement, @By() caller: Caller): Promise<Alert> {
    return this.bus.ask(acknowledgeAlert, input, caller);
  }

  @Get('rules')
  @Serves({ ...listAlertRules, role: 'viewer', from: 'query', summary: 'List alert rules' })
  listAlertRules(@Input() input: AlertRuleFilter, @By() caller: Caller): Promise<Page<AlertRule>> {
    return this.bus.ask(listAlertRules, input, caller);
  }

  @Post('rules')
  @Serves({ ...createAlertRule, role: 'releaser', from: 'body', summary: 'Add an alert rule' })
  createAlertRule(@Input() input: NewAlertRule, @By() caller: Caller): Promise<AlertRule> {
    return this.bus.ask(createAlertRule, input, caller);
  }

  @Get('rules/:rule_id')
  @Serves({ ...getAlertRule, role: 'viewer', path: ['rule_id'], from: 'query', summary: 'One alert rule' })
  getAlertRule(@Input() input: AlertRuleRef, @By() caller: Caller): Promise<AlertRule> {
    return this.bus.ask(getAlertRule, input, caller);
  }

  @Patch('rules/:rule_id')
  @Serves({ ...changeAlertRule, role: 'releaser', path: ['rule_id'], from: 'body', summary: 'Change an alert rule' })
  changeAlertRule(@Input() input: AlertRuleChange, @By() caller: Caller): Promise<AlertRule> {
    return this.bus.ask(changeAlertRule, input, caller);
  }

  @Delete('rules/:rule_id')
  @Serves({ ...removeAlertRule, role: 'releaser', path: ['rule_id'], from: 'query', summary: 'Remove an alert rule; its open alerts end' })
  removeAlertRule(@Input() input: AlertRuleRemoval, @By() caller: Caller): Promise<Removed> {
    return this.bus.ask(removeAlertRule, input, caller);
  }

  @Get('silences')
  @Serves({ ...listSilences, role: 'viewer', from: 'query', summary: 'List silences' })
  listSilences(@Input() input: SilenceFilter, @By() caller: Caller): Promise<Page<Silence>> {
    return this.bus.ask(listSilences, input, caller);
  }

  @Post('silences')
  @Serves({ ...createSilence, role: 'editor', from: 'body', summary: 'Keep alerts from being told for a time' })
  createSilence(@Input() input: NewSilence, @By() caller: Caller): Promise<Silence> {
    return this.bus.ask(createSilence, input, caller);
  }

  @Delete('silences/:silence_id')
  @Serves({ ...removeSilence, role: 'editor', path: ['silence_id'], from: 'query', summary: 'End a silence' })
  removeSilence(@Input() input: SilenceRef, @By() caller: Caller): Promise<Removed> {
    return this.bus.ask(removeSilence, input, caller);
  }
}
