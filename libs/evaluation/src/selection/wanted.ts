import { type Model, type ModelType } from '#contracts/registry.js';

/** What is asked of models; undefined and null: nothing. */
interface Wanted {
  name?: string | null;
  sport?: string | null;
  model_type?: ModelType | null;
}

/** Whether a model is one of those that are meant. */
export const isWanted = ({ name, sport, model_type }: Wanted, model: Model): boolean =>
  (name ?? model.name) === model.name && (sport ?? model.sport) === model.sport && (model_type ?? model.model_type) === model.model_type;
