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
import { Input, Serves } from './serves.decorator.js';

@Controller('alerts')
export class AlertsController {
  constructor(private readonly bus: Bus) {}

  @Get()
  @Serves({ ...listAlerts, role: 'viewer', from: 'query', summary: 'Alerts that fire or did, the newest first' })
  listAlerts(@Input() input: AlertFilter): Promise<Page<Alert>> {
    return this.bus.ask(listAlerts, input);
  }

  @Post(':alert_id/acknowledge')
  @Serves({ ...acknowledgeAlert, role: 'editor', path: ['alert_id'], from: 'body', summary: 'Say that somebody sees to a firing alert' })
  acknowledgeAlert(@Input() input: AlertAcknowledgement): Promise<Alert> {
    return this.bus.ask(acknowledgeAlert, input);
  }

  @Get('rules')
  @Serves({ ...listAlertRules, role: 'viewer', from: 'query', summary: 'List alert rules' })
  listAlertRules(@Input() input: AlertRuleFilter): Promise<Page<AlertRule>> {
    return this.bus.ask(listAlertRules, input);
  }

  @Post('rules')
  @Serves({ ...createAlertRule, role: 'releaser', from: 'body', summary: 'Add an alert rule' })
  createAlertRule(@Input() input: NewAlertRule): Promise<AlertRule> {
    return this.bus.ask(createAlertRule, input);
  }

  @Get('rules/:rule_id')
  @Serves({ ...getAlertRule, role: 'viewer', path: ['rule_id'], from: 'query', summary: 'One alert rule' })
  getAlertRule(@Input() input: AlertRuleRef): Promise<AlertRule> {
    return this.bus.ask(getAlertRule, input);
  }

  @Patch('rules/:rule_id')
  @Serves({ ...changeAlertRule, role: 'releaser', path: ['rule_id'], from: 'body', summary: 'Change an alert rule' })
  changeAlertRule(@Input() input: AlertRuleChange): Promise<AlertRule> {
    return this.bus.ask(changeAlertRule, input);
  }

  @Delete('rules/:rule_id')
  @Serves({ ...removeAlertRule, role: 'releaser', path: ['rule_id'], from: 'query', summary: 'Remove an alert rule; its open alerts end' })
  removeAlertRule(@Input() input: AlertRuleRemoval): Promise<Removed> {
    return this.bus.ask(removeAlertRule, input);
  }

  @Get('silences')
  @Serves({ ...listSilences, role: 'viewer', from: 'query', summary: 'List silences' })
  listSilences(@Input() input: SilenceFilter): Promise<Page<Silence>> {
    return this.bus.ask(listSilences, input);
  }

  @Post('silences')
  @Serves({ ...createSilence, role: 'editor', from: 'body', summary: 'Keep alerts from being told for a time' })
  createSilence(@Input() input: NewSilence): Promise<Silence> {
    return this.bus.ask(createSilence, input);
  }

  @Delete('silences/:silence_id')
  @Serves({ ...removeSilence, role: 'editor', path: ['silence_id'], from: 'query', summary: 'End a silence' })
  removeSilence(@Input() input: SilenceRef): Promise<Removed> {
    return this.bus.ask(removeSilence, input);
  }
}
