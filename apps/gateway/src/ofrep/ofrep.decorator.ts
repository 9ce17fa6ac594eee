import 'reflect-metadata';
import { applyDecorators, SetMetadata } from '@nestjs/common';
import { type Role } from '#contracts/access.js';

const ofrepKey = 'emr:ofrep';

interface OfrepRoute {
  role: Role;
  controller: new (...dependencies: never[]) => object;
  method: string;
}

/** A route of OFREP: who may ask. It takes and answers what OFREP says, outside of our envelope. */
export const ServesOfrep = (role: Role): MethodDecorator =>
  applyDecorators((target, method, descriptor) =>
    SetMetadata(ofrepKey, {
      role,
      controller: target.constructor as OfrepRoute['controller'],
      method: String(method),
    } satisfies OfrepRoute)(target, method, descriptor),
  );

export const ofrepBy = (handler: object): OfrepRoute | undefined => Reflect.getMetadata(ofrepKey, handler) as OfrepRoute | undefined;
