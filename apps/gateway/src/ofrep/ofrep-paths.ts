import { prefix } from '../prefix.js';

/** OFREP is served under the prefix and at the root: its clients add `/ofrep/v1/…` to whatever base address they have. */
export const ofrepRoots = [`${prefix}/ofrep/v1`, '/ofrep/v1'];

const routes = new Set(ofrepRoots.flatMap((root) => ['/evaluate/flags', '/evaluate/flags/:key', '/events'].map((path) => root + path)));
const eventRoutes = new Set(ofrepRoots.map((root) => `${root}/events`));

/** Of a route as the router matched it. */
export const isOfrepRoute = (url: string | undefined): boolean => url !== undefined && routes.has(url);
export const isEventsRoute = (url: string | undefined): boolean => url !== undefined && eventRoutes.has(url);

/** Of a path as it was sent, for what has no route of its own. */
export const isOfrepPath = (path: string): boolean => ofrepRoots.some((root) => path.startsWith(`${root}/`));
