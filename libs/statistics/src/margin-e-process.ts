import { type Share } from './two-proportions.js';

/** What two arms did in the same short time: of n requests each, how many were events (failures, or values above a limit). */
export interface Tick {
  candidate: Share;
  control: Share;
}

/**
 * What is to be refuted, of the candidate's rate θc and the control's θs: `above` refutes θc − θs ≤ margin (evidence of harm), `below`
 * refutes θc − θs ≥ margin (evidence that the candidate is not inferior by the margin). Margins are differences of rates, −1..1.
 */
export interface MarginTest {
  direction: 'above' | 'below';
  margin: number;
}

/** All that is kept of the ticks so far: the logarithm of each bet's product, and the pooled events of both arms. Plain JSON. */
export interface MarginEvidence {
  log_e: number[];
  events: number;
  n: number;
}

const betCount = 12;
const [smallestBet, largestBet] = [0.002, 0.5];
const bets = Array.from({ length: betCount }, (_, index) => smallestBet * (largestBet / smallestBet) ** (index / (betCount - 1)));
/** A bet takes at most this part of what would bring one of the two rates to 0 or 1, where a single event could end it. */
const mostOfRoom = 0.9;
/** Of the pooled rate before the first tick: Beta(1, 19). */
const prior = { events: 1, n: 20 };

/** Before the first tick. */
export const noEvidence: MarginEvidence = { log_e: bets.map(() => 0), events: 0, n: 0 };

/**
 * The blocked margin e-process: the evidence with one tick more. `designEffect` (≥ 1) divides all counts of the tick, where requests of a tick
 * are not independent; it must be known from earlier ticks.
 *
 * Let nc, ns be the tick's requests, N their sum, p the pooled rate of the ticks before, and d a bet (d > 0 for `above`, d < 0 for `below`).
 * With pc = p + ns·d/N, ps = p − nc·d/N and d' = d/(N·p·(1 − p)), a tick with yc and ys events is worth
 *
 *     E = (pc/p)^yc ((1−pc)/(1−p))^(nc−yc) (ps/p)^ys ((1−ps)/(1−p))^(ns−ys) · exp(−nc·ns·d'·margin).
 *
 * pc/p = 1 + ns·d'·(1 − p) and (1−pc)/(1−p) = 1 − ns·d'·p, so a candidate's request is worth 1 + ns·d'·(θc − p) on average, and a control's
 * 1 − nc·d'·(θs − p). They are independent given what came before, hence
 *
 *     E[E] = (1 + ns·d'·(θc − p))^nc · (1 − nc·d'·(θs − p))^ns · exp(−nc·ns·d'·margin) ≤ exp(nc·ns·d'·(θc − θs − margin)) ≤ 1
 *
 * by ln(1 + x) ≤ x, whatever p is: for d' > 0 where θc − θs ≤ margin, for d' < 0 where θc − θs ≥ margin. So the product over ticks is a
 * supermartingale, so is its mean over the bets, and P(it is ever ≥ 1/α) ≤ α (Ville) however often it is looked at. Only the difference within
 * a tick counts: the rates may drift freely, and the arms' shares of the traffic may change between ticks. The likelihood ratio is that of
 * Turner, Ly, Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for optional stopping", JSPI 230, 2024; the factor
 * for the margin is ours.
 *
 * A tick in which an arm has no requests says nothing. Throws RangeError unless 0 ≤ events ≤ n and designEffect ≥ 1.
 */
export function withTick(evidence: MarginEvidence, tick: Tick, test: MarginTest, designEffect = 1): MarginEvidence {
  const { candidate, control } = tick;
  for (const { events, n } of [candidate, control]) {
    if (!(events >= 0 && events <= n)) throw new RangeError(`events are from 0 to ${n}, not ${events}`);
  }
  if (!(designEffect >= 1)) throw new RangeError(`A design effect is at least 1, not ${designEffect}`);
  const seen = { events: evidence.events + candidate.events + control.events, n: evidence.n + candidate.n + control.n };
  if (candidate.n === 0 || control.n === 0) return { log_e: evidence.log_e, ...seen };
  const [nc, yc, ns, ys] = [candidate.n, candidate.events, control.n, control.events].map((count) => count / designEffect) as Four;
  const total = nc + ns;
  const p = (prior.events + evidence.events) / (prior.n + evidence.n);
  // How far d may go before pc or ps leaves 0..1.
  const room = test.direction === 'above' ? Math.min((1 - p) / ns, p / nc) * total : Math.min(p / ns, (1 - p) / nc) * total;
  const sign = test.direction === 'above' ? 1 : -1;
  const log_e = evidence.log_e.map((logarithm, index) => {
    const d = sign * Math.min(bets[index]!, mostOfRoom * room);
    const up = (ns * d) / total;
    const down = (nc * d) / total;
    const likelihood =
      yc * Math.log1p(up / p) + (nc - yc) * Math.log1p(-up / (1 - p)) + ys * Math.log1p(-down / p) + (ns - ys) * Math.log1p(down / (1 - p));
    return logarithm + likelihood - (nc * ns * d * test.margin) / (total * p * (1 - p));
  });
  return { log_e, ...seen };
}

type Four = [number, number, number, number];

/** ln of the e-value: of the mean over all bets. 0 before the first tick; at ln(1/α) the hypothesis is refuted at level α. */
export function logEvidence({ log_e }: MarginEvidence): number {
  const highest = Math.max(...log_e);
  return highest + Math.log(log_e.reduce((sum, logarithm) => sum + Math.exp(logarithm - highest), 0) / log_e.length);
}
