import { Controller, Delete, Get, Patch, Post } from '@nestjs/common';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import {
  changeWebhook,
  createWebhook,
  type Delivery,
  DeliveryFilter,
  DeliveryRef,
  getWebhook,
  listDeliveries,
  listWebhooks,
  NewWebhook,
  redeliver,
  removeWebhook,
  type Webhook,
  WebhookChange,
  WebhookFilter,
  WebhookRef,
  WebhookRemoval,
} from '#contracts/webhooks.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { Input, Serves } from './serves.decorator.js';

@Controller('webhooks')
export class WebhooksController {
  constructor(private readonly bus: Bus) {}

  @Get()
  @Serves({ ...listWebhooks, role: 'admin', from: 'query', summary: 'List webhooks, without their secrets' })
  listWebhooks(@Input() input: WebhookFilter, @By() caller: Caller): Promise<Page<Webhook>> {
    return this.bus.ask(listWebhooks, input, caller);
  }

  @Post()
  @Serves({ ...createWebhook, role: 'admin', from: 'body', summary: 'Add a webhook, which is told what becomes of alerts' })
  createWebhook(@Input() input: NewWebhook, @By() caller: Caller): Promise<Webhook> {
    return this.bus.ask(createWebhook, input, caller);
  }

  @Get(':webhook_id')
  @Serves({ ...getWebhook, role: 'admin', path: ['webhook_id'], from: 'query', summary: 'One webhook, without its secret' })
  getWebhook(@Input() input: WebhookRef, @By() caller: Caller): Promise<Webhook> {
    return this.bus.ask(getWebhook, input, caller);
  }

  @Patch(':webhook_id')
  @Serves({ ...changeWebhook, role: 'admin', path: ['webhook_id'], from: 'body', summary: 'Change a webhook' })
  changeWebhook(@Input() input: WebhookChange, @By() caller: Caller): Promise<Webhook> {
    return this.bus.ask(changeWebhook, input, caller);
  }

  @Delete(':webhook_id')
  @Serves({ ...removeWebhook, role: 'admin', path: ['webhook_id'], from: 'query', summary: 'Remove a webhook with its deliveries' })
  removeWebhook(@Input() input: WebhookRemoval, @By() caller: Caller): Promise<Removed> {
    return this.bus.ask(removeWebhook, input, caller);
  }

  @Get(':webhook_id/deliveries')
  @Serves({ ...listDeliveries, role: 'admin', path: ['webhook_id'], from: 'query', summary: 'What a webhook was told, the newest first' })
  listDeliveries(@Input() input: DeliveryFilter, @By() caller: Caller): Promise<Page<Delivery>> {
    return this.bus.ask(listDeliveries, input, caller);
  }

  @Post(':webhook_id/deliveries/:delivery_id/redeliver')
  @Serves({
    ...redeliver,
    role: 'admin',
    path: ['webhook_id', 'delivery_id'],
    from: 'body',
    summary: 'Send a delivery once more, under the same id',
  })
  redeliver(@Input() input: DeliveryRef, @By() caller: Caller): Promise<Delivery> {
    return this.bus.ask(redeliver, input, caller);
  }
}
