import { type Model } from '#contracts/registry.js';
import { type Candidate } from './choose.js';

const model = {
  name: 'Props',
  version: '1.0.0',
  model_type: 'ensemble',
  status: 'stable',
  sport: 'MLB',
  rollout_percentage: 0,
  serving: null,
  objectives: null,
} as Model;

/** A model that everything speaks for. */
export const candidate = (model_id: string, of: Partial<Model> = {}, known: Partial<Omit<Candidate, 'model'>> = {}): Candidate => ({
  model: { ...model, model_id, ...of },
  health_status: 'healthy',
  breaker: 'closed',
  forced: null,
  probes_left: 0,
  success: 0.9,
  ...known,
});
