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
import { Input, Serves } from './serves.decorator.js';

@Controller('policies')
export class PoliciesController {
  constructor(private readonly bus: Bus) {}

  @Get('promotion')
  @Serves({ ...getPromotionPolicy, role: 'viewer', from: 'query', summary: 'What a promotion needs' })
  getPromotionPolicy(@Input() input: NoInput): Promise<PromotionPolicy> {
    return this.bus.ask(getPromotionPolicy, input);
  }

  @Patch('promotion')
  @Serves({ ...changePromotionPolicy, role: 'admin', from: 'body', summary: 'Change what a promotion needs' })
  changePromotionPolicy(@Input() input: PromotionPolicyChange): Promise<PromotionPolicy> {
    return this.bus.ask(changePromotionPolicy, input);
  }

  @Get('validation')
  @Serves({ ...getValidationPolicy, role: 'viewer', from: 'query', summary: 'By what a difference from a baseline counts' })
  getValidationPolicy(@Input() input: ValidationPolicyRequest): Promise<ValidationPolicy> {
    return this.bus.ask(getValidationPolicy, input);
  }

  @Patch('validation')
  @Serves({ ...changeValidationPolicy, role: 'admin', from: 'body', summary: 'Change by what a difference from a baseline counts' })
  changeValidationPolicy(@Input() input: ValidationPolicyChange): Promise<ValidationPolicy> {
    return this.bus.ask(changeValidationPolicy, input);
  }
}
