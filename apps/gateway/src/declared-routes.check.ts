import { type INestApplication } from '@nestjs/common';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { ofrepBy } from './ofrep/ofrep.decorator.js';
import { isPublic, servedBy } from './serves.decorator.js';

interface RouteHandler {
  name: string;
  handler: object;
  controller: object;
}

/** Every controller method that is a route, with its class. */
export function routeHandlers(app: INestApplication): RouteHandler[] {
  const scanner = new MetadataScanner();
  const found: RouteHandler[] = [];
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      if (!metatype) continue;
      const prototype = metatype.prototype as Record<string, object>;
      for (const method of scanner.getAllMethodNames(prototype)) {
        const handler = prototype[method];
        if (handler && Reflect.hasMetadata(METHOD_METADATA, handler)) {
          found.push({ name: `${metatype.name}.${method}`, handler, controller: metatype });
        }
      }
    }
  }
  return found;
}

/** Refuses to start with a route that declares neither a role nor that it is public. */
export function assertRolesDeclared(app: INestApplication): void {
  const silent = routeHandlers(app).filter(({ handler }) => !servedBy(handler) && !ofrepBy(handler) && !isPublic(handler));
  if (silent.length)
    throw new Error(`These routes declare no role: ${silent.map(({ name }) => name).join(', ')}. Add @Serves, @ServesOfrep or @Public.`);
}
