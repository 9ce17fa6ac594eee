import { median, spread } from '../measurement.js';

/** A line of the table: every figure as median (min–max). */
export interface Row {
  path: string;
  ours: string;
  limit: string;
  ratio: string;
  goal: string;
  met: boolean | null;
}

export interface Measured {
  /** One a round. */
  values: number[];
  unit: string;
}

const digitsOf = (value: number): number => (value >= 100 ? 0 : value >= 10 ? 1 : 3);

export const shown = ({ values, unit }: Measured): string => `${spread(values, digitsOf(median(values)))} ${unit}`;

/** Ours over the limit of the same round, which is to be at least `goal`. */
export function ratioRow(path: string, ours: Measured, limitName: string, limit: Measured, goal: number): Row {
  const ratios = ours.values.map((value, round) => value / limit.values[round]!);
  return {
    path,
    ours: shown(ours),
    limit: `${limitName}: ${shown(limit)}`,
    ratio: spread(ratios, ratios[0]! < 0.1 ? 3 : 2),
    goal: `≥ ${goal} ×`,
    met: median(ratios) >= goal,
  };
}

/** A figure that is to be at most `goal`; null: one without a goal. */
export const boundRow = (path: string, ours: Measured, goal: number | null): Row => ({
  path,
  ours: shown(ours),
  limit: '–',
  ratio: '–',
  goal: goal === null ? '–' : `≤ ${goal} ${ours.unit}`,
  met: goal === null ? null : median(ours.values) <= goal,
});

export const tableOf = (rows: Row[]): string =>
  ['| path | measured | limit of the same round | ratio | goal | met |', '| --- | --- | --- | --- | --- | --- |', ...rows.map(lineOf)].join(
    '\n',
  );

export const lineOf = ({ path, ours, limit, ratio, goal, met }: Row): string =>
  `| ${path} | ${ours} | ${limit} | ${ratio} | ${goal} | ${met === null ? '–' : met ? 'yes' : '**no**'} |`;
