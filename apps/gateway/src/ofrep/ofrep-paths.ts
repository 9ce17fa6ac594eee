import { prefix } from '../prefix.js';

/** OFREP is served under the prefix and at the root: its clients add `/ofrep/v1/…` to whatever base address they have. */
export const ofrepRoots = [`${prefix}/ofrep/v1`, '/ofrep/v1'];

const routes = new Set(ofrepRoots.flatMap((root) => ['/evaluate/flags', '/evaluate/flags/:key', '/events'].map((path) => root + path)));
const eventRoutes = new Set(ofrepRoots.map((root) => `${root}/events`));

/** Of a route's path as it was declared. */
export const isOfrepRoute = (path: string): boolean => routes.has(path);
export const isEventsRoute = (path: string): boolean => eventRoutes.has(path);

/** Of a path as it was sent, for what has no route of its own. */
export const isOfrepPath = (path: string): boolean => ofrepRoots.some((root) => path.startsWith(`${root}/`));
