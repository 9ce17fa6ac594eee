import { Controller, Get, Patch } from '@nestjs/common';
import {
  changeValidationPolicy,
  getValidationPolicy,
  type ValidationPolicy,
  ValidationPolicyChange,
  ValidationPolicyRequest,
} from '#contracts/policy.js';
import { changePromotionPolicy, getPromotionPolicy, type PromotionPolicy, PromotionPolicyChange } from '#contracts/promotion.js';
import { NoInput } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { Input, Serves } from './serves.decorator.js';

@Controller('policies')
export class PoliciesController {
  constructor(private readonly bus: Bus) {}

  @Get('promotion')
  @Serves({ ...getPromotionPolicy, role: 'viewer', from: 'query', summary: 'What a promotion needs' })
  getPromotionPolicy(@Input() input: NoInput, @By() caller: Caller): Promise<PromotionPolicy> {
    return this.bus.ask(getPromotionPolicy, input, caller);
  }

  @Patch('promotion')
  @Serves({ ...changePromotionPolicy, role: 'admin', from: 'body', summary: 'Change what a promotion needs' })
  changePromotionPolicy(@Input() input: PromotionPolicyChange, @By() caller: Caller): Promise<PromotionPolicy> {
    return this.bus.ask(changePromotionPolicy, input, caller);
  }

  @Get('validation')
  @Serves({ ...getValidationPolicy, role: 'viewer', from: 'query', summary: 'By what a difference from a baseline counts' })
  getValidationPolicy(@Input() input: ValidationPolicyRequest, @By() caller: Caller): Promise<ValidationPolicy> {
    return this.bus.ask(getValidationPolicy, input, caller);
  }

  @Patch('validation')
  @Serves({ ...changeValidationPolicy, role: 'admin', from: 'body', summary: 'Change by what a difference from a baseline counts' })
  changeValidationPolicy(@Input() input: ValidationPolicyChange, @By() caller: Caller): Promise<ValidationPolicy> {
    return this.bus.ask(changeValidationPolicy, input, caller);
  }
}
