import { type NewFlag } from '#contracts/flags.js';
import { type ModelStatus, type NewModel } from '#contracts/registry.js';
import { type ServingProtocol } from '#contracts/serving.js';
import { type NewTestCase } from '#contracts/test-case.js';

export interface DemoModel extends NewModel {
  /** Where it is brought, by way of the statuses before it. */
  status: ModelStatus;
  /** Served by the example model server, in this way and under this name. */
  served?: { protocol: ServingProtocol; as: string };
}

const mlb = 'MLB Prop Predictor';
const nfl = 'NFL Yardage Ensemble';

export const models: DemoModel[] = [
  {
    name: mlb,
    version: '1.0.0',
    model_type: 'traditional_ml',
    sport: 'MLB',
    status: 'retired',
    retention_days: 30,
    description: 'First regression on box scores',
  },
  { name: mlb, version: '1.4.2', model_type: 'ensemble', sport: 'MLB', status: 'deprecated', description: 'Gradient-boosted trees' },
  {
    name: mlb,
    version: '2.1.0',
    model_type: 'transformer',
    sport: 'MLB',
    status: 'stable',
    description: 'Sequence model over plate appearances',
    rollout_percentage: 75,
    served: { protocol: 'oip_v2', as: 'mlb-props' },
  },
  {
    name: mlb,
    version: '2.2.0',
    model_type: 'transformer',
    sport: 'MLB',
    status: 'canary',
    description: 'Adds weather and park factors',
    feature_flag_id: 'mlb_prop_predictor_2_2',
    rollout_percentage: 25,
  },
  {
    name: nfl,
    version: '1.2.0',
    model_type: 'ensemble',
    sport: 'NFL',
    status: 'stable',
    description: 'Trees over play-by-play features',
    rollout_percentage: 100,
    served: { protocol: 'http_json', as: 'nfl-props' },
  },
  {
    name: nfl,
    version: '1.3.0',
    model_type: 'ensemble',
    sport: 'NFL',
    status: 'development',
    description: 'Adds injury reports',
    feature_flag_id: 'nfl_yardage_1_3',
  },
  {
    name: 'NBA Line Mover',
    version: '0.9.0',
    model_type: 'traditional_ml',
    sport: 'NBA',
    status: 'deprecated',
    description: 'Elo with pace',
  },
  {
    name: 'NBA Line Mover',
    version: '1.0.0',
    model_type: 'transformer',
    sport: 'NBA',
    status: 'development',
    description: 'Shot-chart transformer',
  },
];

/** The statuses between registration and the one wanted. */
export const stepsTo: Record<ModelStatus, ModelStatus[]> = {
  development: [],
  canary: ['canary'],
  stable: ['canary', 'stable'],
  deprecated: ['canary', 'stable', 'deprecated'],
  retired: ['retired'],
};

/** Flags by the version that one of their variants directs traffic to. */
export const flags: { version: Pick<NewModel, 'name' | 'version'>; variant: string; flag: NewFlag }[] = [
  {
    version: { name: mlb, version: '2.2.0' },
    variant: 'canary',
    flag: {
      flag_key: 'mlb_prop_predictor_2_2',
      description: 'A quarter of the users get the canary',
      variants: { canary: true, stable: false },
      default_variant: 'stable',
      split: { weights: { canary: 25, stable: 75 } },
    },
  },
  {
    version: { name: nfl, version: '1.3.0' },
    variant: 'on',
    flag: { flag_key: 'nfl_yardage_1_3', description: 'Not released yet', variants: { on: true, off: false }, default_variant: 'off' },
  },
];

const features = { season_average: 1.4, recent_average: 1.6, line: 1.0, opponent_rank: 22, home: 1 };

export const testCases: NewTestCase[] = [
  {
    test_case_id: 'mlb_basic_prediction',
    description: 'A likely over is a probability above one half',
    applies_to: { name: mlb },
    input: [{ name: 'features', datatype: 'FP64', shape: [1, 5], data: Object.values(features) }],
    expectations: [
      { path: '$.outputs[0].data', op: 'length', value: 1 },
      { path: '$.outputs[0].data[0]', op: 'range', min: 0.5, max: 1 },
    ],
    max_duration_ms: 2_000,
  },
  {
    test_case_id: 'mlb_edge_case_prediction',
    description: 'The worst case is still a probability',
    applies_to: { name: mlb },
    input: [{ name: 'features', datatype: 'FP64', shape: [1, 5], data: [0.2, 0, 3, 1, 0] }],
    expectations: [{ path: '$.outputs[0].data[0]', op: 'range', min: 0, max: 0.5 }],
  },
  {
    test_case_id: 'nfl_basic_prediction',
    description: 'Plain JSON: a likely over',
    applies_to: { name: nfl },
    input: { season_average: 260, recent_average: 285, line: 240, opponent_rank: 28, home: 1 },
    expectations: [{ path: '$.probability', op: 'range', min: 0.5, max: 1 }],
  },
];
