/** Uniform numbers in [0, 1) that are the same on every start (mulberry32). */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);

/**
 * Synthetic games of one sport: the stated form of a player, the bookmaker's line, and whether the player went over it. Invented by
 * the formula below, not measured: `spread` is how many units of the statistic make one unit of log-odds.
 */
function syntheticGames({ seed, games, average, spread, teams }) {
  const random = seeded(seed);
  return Array.from({ length: games }, () => {
    const season_average = average * (0.6 + 0.8 * random());
    const recent_average = season_average + spread * (random() + random() - 1);
    const line = season_average + 2 * spread * (random() + random() - 1);
    const opponent_rank = 1 + Math.floor(teams * random());
    const home = random() < 0.5 ? 0 : 1;
    const form = 0.6 * season_average + 0.4 * recent_average;
    const log_odds = (form - line) / spread + (opponent_rank / teams - 0.5) + 0.3 * (home - 0.5);
    return { features: [season_average, recent_average, line, opponent_rank, home], label: random() < sigmoid(log_odds) ? 1 : 0 };
  });
}

/**
 * Gradient descent on the mean log-loss over standardised features, of rows {features, label: 0 or 1}. Returns a function: row of features ->
 * probability 0..1.
 */
export function train(examples, { steps = 400, rate = 0.5 } = {}) {
  const width = examples[0].features.length;
  const columns = Array.from({ length: width }, (_, column) => examples.map(({ features }) => features[column]));
  const means = columns.map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  const deviations = columns.map((values, column) =>
    Math.sqrt(values.reduce((sum, value) => sum + (value - means[column]) ** 2, 0) / values.length),
  );
  // A feature that is always the same is left as it is.
  const standardise = (features) => features.map((value, column) => (value - means[column]) / (deviations[column] || 1));

  const rows = examples.map(({ features, label }) => ({ features: standardise(features), label }));
  let weights = Array(width).fill(0);
  let bias = 0;
  for (let step = 0; step < steps; step += 1) {
    const gradient = Array(width).fill(0);
    let biasGradient = 0;
    for (const { features, label } of rows) {
      const error = sigmoid(dot(weights, features) + bias) - label;
      features.forEach((value, column) => (gradient[column] += error * value));
      biasGradient += error;
    }
    weights = weights.map((weight, column) => weight - (rate * gradient[column]) / rows.length);
    bias -= (rate * biasGradient) / rows.length;
  }
  return (features) => sigmoid(dot(weights, standardise(features)) + bias);
}

export const gameFeatures = ['season_average', 'recent_average', 'line', 'opponent_rank', 'home'];

/** Both models of games, trained anew: always the same, for the data are. */
export function trainGameModels() {
  return {
    'mlb-props': train(syntheticGames({ seed: 20260401, games: 600, average: 1.2, spread: 0.4, teams: 30 })),
    'nfl-props': train(syntheticGames({ seed: 20260910, games: 600, average: 230, spread: 40, teams: 32 })),
  };
}
