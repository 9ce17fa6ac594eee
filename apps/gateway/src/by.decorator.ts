import { type Caller } from '#runtime/caller.js';
import { parameter } from './parameter.js';

/** Who asks, for what a handler asks of services: `getRun(@Input() input: RunRef, @By() caller: Caller)`. */
export const By = parameter(({ id, actor }): Caller => ({ request_id: id, actor: actor! }));
