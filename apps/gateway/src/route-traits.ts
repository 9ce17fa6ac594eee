import { type FastifyRequest } from 'fastify';
import { isEventsRoute, isOfrepRoute } from './ofrep/ofrep-paths.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** See `routeOf`. */
    route?: RouteTraits;
  }
}

/** What a route's path says of it. */
export interface RouteTraits {
  /** `(none)` where none was matched. */
  path: string;
  isPublic: boolean;
  isOfrep: boolean;
  isEvents: boolean;
  /** Whether its requests may take longer than a service is waited for: they are bounded each by itself. */
  isMeantToWait: boolean;
}

const publicRoutes = new Set([
  '/livez',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/start.js',
  '/docs/swagger-ui.css',
  '/docs/swagger-ui-bundle.js',
]);
const meantToWait = /\/(ofrep\/v1\/events|validation\/(run|nightly|datasets)|flags\/import)$/;

const known = new Map<string, RouteTraits>();

/** Of a route's path as it was declared, of which there are as many as routes: they are remembered. */
function routeTraits(path = '(none)'): RouteTraits {
  let traits = known.get(path);
  if (!traits) {
    traits = {
      path,
      isPublic: publicRoutes.has(path),
      isOfrep: isOfrepRoute(path),
      isEvents: isEventsRoute(path),
      isMeantToWait: meantToWait.test(path),
    };
    known.set(path, traits);
  }
  return traits;
}

/** Of the route that the router matched: no spelling of a path can pass for another one. Looked up once for each request. */
export const routeOf = (request: FastifyRequest): RouteTraits => (request.route ??= routeTraits(request.routeOptions?.url));
